// Makes the project ready to run: installs the packages when they are missing or outdated, and
// compiles. Run by `npm start` and `npm test` before anything else, so it uses nothing but Node
// itself, and writes to stderr only.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MIN = [20, 19];
const LOCK_POLL_MS = 100;
const LOCK_MS_MAX = 300_000;
const UNWRITTEN_MS_MAX = 2_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const typescript = join(root, 'node_modules/typescript/bin/tsc');
const buildInfo = join(root, 'dist/.tsbuildinfo');

checkNodeVersion();
lock(join(root, '.holdfast'));
if (arePackagesOutdated()) installPackages();
compile();

function checkNodeVersion() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  fail(
    `Node.js ${NODE_MIN.join('.')} or newer is needed, and this is ${process.versions.node}.`,
    'Install a newer one from https://nodejs.org or with your version manager (nvm install 22).',
  );
}

function arePackagesOutdated() {
  // npm writes this file last, so an interrupted installation does not count.
  const installed = statSync(join(root, 'node_modules/.package-lock.json'), {
    throwIfNoEntry: false,
  });
  const wanted = statSync(join(root, 'package-lock.json'));
  // The compiler is missing after an installation without development packages.
  return !installed || installed.mtimeMs < wanted.mtimeMs || !existsSync(typescript);
}

function installPackages() {
  say('installing packages (npm ci), once ...');
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  const [command, ...first] = npmCommand();
  const result = run(command, [...first, ...args, '--loglevel=error', '--no-update-notifier']);
  if (result.error?.code === 'ENOENT') {
    fail(
      'npm was not found, and the packages are not installed.',
      `Install npm (it comes with Node.js), or run "npm ${args.join(' ')}" elsewhere.`,
    );
  }
  if (result.status !== 0) {
    fail(
      "The packages could not be installed; npm's own message is above.",
      'Run it again when the registry named by "npm config get registry" can be reached.',
    );
  }
}

/** The npm that runs this file, else the one on the PATH. */
function npmCommand() {
  const running = process.env.npm_execpath ?? '';
  return basename(running) === 'npm-cli.js' ? [process.execPath, running] : ['npm'];
}

function compile() {
  // An incremental compilation does not write again what somebody deleted.
  if (!existsSync(join(root, 'dist/main.js'))) rmSync(buildInfo, { force: true });
  if (!existsSync(buildInfo)) say('compiling ...');
  const { status, error } = run(process.execPath, [typescript, '-p', 'tsconfig.json']);
  if (status === 0) return;
  fail(
    error ? `The compiler did not run: ${error.message}` : 'The TypeScript above has errors.',
    'Correct them and run it again; if you changed nothing, delete node_modules and dist first.',
  );
}

function run(command, args) {
  // Output goes to stderr: stdout belongs to the command that follows.
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
}

/**
 * Lets one set-up of this folder run at a time; a second one waits, and then finds nothing to do.
 */
function lock(folder) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'setup.lock');
  const startedAtMs = Date.now();
  let isToldToWait = false;
  while (!create(path)) {
    if (isStale(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (Date.now() - startedAtMs > LOCK_MS_MAX) {
      fail('Another set-up of this folder takes too long.', `If there is none, delete ${path}.`);
    }
    if (!isToldToWait) say('waiting for another set-up of this folder ...');
    isToldToWait = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  process.on('exit', () => rmSync(path, { force: true }));
}

/** Tells whether the owner of the lock is dead, or was running before the machine was started. */
function isStale(path) {
  const file = statSync(path, { throwIfNoEntry: false });
  if (!file) return false;
  const ageMs = Date.now() - file.mtimeMs;
  const owner = Number(readIfThere(path));
  // Empty: its owner created it and writes its number at any moment.
  if (!(owner > 0)) return ageMs > UNWRITTEN_MS_MAX;
  return ageMs > uptime() * 1000 || !isRunning(owner);
}

function create(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    fail(`${path} cannot be written: ${error.message}`, 'Run it as the owner of this folder.');
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function say(line) {
  process.stderr.write(`${line.replace(/^/gm, 'holdfast: ')}\n`);
}

function fail(problem, advice) {
  say(`${problem}\n${advice}`);
  process.exit(1);
}
