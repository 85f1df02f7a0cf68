import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

// As much of curl as the documents use: -sSw, -H, -d and a URL.
const PROGRAM = `#!${process.execPath}
const headers = {};
let body, target, end = '';
for (const args = process.argv.slice(2); args.length > 0; ) {
  const arg = args.shift();
  if (arg === '-H') {
    const [name, value] = args.shift().split(': ');
    headers[name] = value;
  } else if (arg === '-d') body = args.shift();
  else if (!arg.startsWith('-')) target = arg;
  else if (arg === '-sSw') end = args.shift().replace('\\\\n', '\\n');
  else throw new Error(arg + ' is no option of this curl');
}
fetch(target, { method: body === undefined ? 'GET' : 'POST', headers, body })
  .then((response) => response.text())
  .then((text) => process.stdout.write(text + end));
`;

/** Runs lines of a document in a shell. On a machine without curl the folder gets one. */
export async function runInShell(lines: string, folder: string): Promise<string> {
  const path = process.env.PATH ?? '';
  const hasCurl = await run('sh', ['-c', 'command -v curl']).catch(() => undefined);
  if (!hasCurl) {
    await writeFile(join(folder, 'curl'), PROGRAM);
    await chmod(join(folder, 'curl'), 0o755);
  }
  const env = { PATH: hasCurl ? path : `${folder}:${path}` };
  return (await run('sh', ['-c', lines], { env })).stdout;
}
