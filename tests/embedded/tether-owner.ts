// Launches a program that never ends with the tether of its argument, and stays until it is killed.
// Prints the process ids of what was launched and of the program itself, which is another one
// behind a shell.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch, type Tether } from '../../src/embedded/server-process.ts';

const PROGRAM = 'console.log(process.pid); setInterval(() => undefined, 60_000)';
const [tether = '', logPath = ''] = process.argv.slice(2);
const server = await launch({
  path: process.execPath,
  args: ['-e', PROGRAM],
  environment: {},
  logPath,
  tether: tether as Tether,
});
for (let attempt = 0; attempt < 500 && readFileSync(logPath, 'utf8') === ''; attempt += 1) {
  await sleep(20);
}
console.log(JSON.stringify([server.pid, Number(readFileSync(logPath, 'utf8'))]));
setInterval(() => undefined, 60_000);
