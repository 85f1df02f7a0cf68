// Opens connections to a server, and leaves them open: a process of its own, since each connection
// is a file at both ends. Arguments: port, how many. Tells a line of JSON for each line it is told.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const AT_ONCE = 250;
/** Nothing at all, half a head, half a body, and a whole request. */
const SAID = [
  '',
  'GET /healthz HTTP/1.1\r\nHost: x\r\n',
  'POST /api/holds HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n' +
    'Content-Type: application/json\r\n\r\n{',
  'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
];

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
const open = new Set<Socket>();
let answered = 0;

async function openOne(index: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.on('close', () => open.delete(socket));
  socket.once('data', (data) => {
    if (/^HTTP\/1.1 200 /.test(String(data))) answered += 1;
  });
  await once(socket, 'connect');
  open.add(socket);
  socket.write(SAID[index % SAID.length] ?? '');
}

for (let opened = 0; opened < count; opened += AT_ONCE) {
  const size = Math.min(AT_ONCE, count - opened);
  await Promise.all(Array.from({ length: size }, (_, index) => openOne(opened + index)));
}
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify({ open: open.size, answered })}\n`);
}
