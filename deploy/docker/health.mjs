// Asks this container's own Holdfast how it is: `node health.mjs /readyz`. Exit code 0 means well.
// The image has no curl.
const path = process.argv[2] ?? '/healthz';
try {
  const response = await fetch(`http://127.0.0.1:${process.env.PORT || 3000}${path}`);
  // Docker keeps what a check says: docker inspect shows it.
  console.log(await response.text());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  console.log(String(error.cause ?? error));
  process.exitCode = 1;
}
