import { setTimeout as pause } from 'node:timers/promises';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import type { HoldfastServe } from '../servers/holdfast.ts';
import { ROLES_BUT_API } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const world = { processes: ['api', 'api', ROLES_BUT_API, ROLES_BUT_API] };
/** Longer than a job's lock in BullMQ. */
const PAST_THE_LOCK_MS = 33_000;
const PAST_THE_LOCK_SHORT_MS = 3_000;
const TRIES_MAX = 200;
/** Two writers that wait for each other are through by then. */
const GOES_ON_MS = 100;
const LOOKS = 3;

/** Whether the other writer waits for a lock, and goes on waiting. */
async function otherWaits(connection: Connection): Promise<boolean> {
  const text =
    "SELECT COUNT(*) AS count FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
  for (let looks = 0; looks < LOOKS; looks += 1) {
    await pause(GOES_ON_MS);
    const [rows] = await connection.query<RowDataPacket[]>(text);
    if (Number(rows[0]?.count) === 0) return false;
  }
  return true;
}

/** Stops a writer in the middle of a transaction, or outside of one. */
async function stopWriter({ world }: Stage, insideTransaction: boolean): Promise<HoldfastServe> {
  const connection = await mysql.createConnection({ uri: world.mysql.url });
  try {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const writers = world.running().filter(({ roles }) => roles === ROLES_BUT_API);
      const writer = writers[tries % writers.length];
      if (!writer) break;
      writer.process.signal('SIGSTOP');
      if ((await otherWaits(connection)) === insideTransaction) return writer;
      writer.process.signal('SIGCONT');
      await pause(tries % 20);
    }
  } finally {
    connection.destroy();
  }
  throw new Error(
    `no writer could be stopped ${insideTransaction ? 'in' : 'out of'} a transaction`,
  );
}

async function stopPastTheLock(stage: Stage, insideTransaction: boolean): Promise<void> {
  const { isShort, recovered, note } = stage;
  const writer = await stopWriter(stage, insideTransaction);
  const startedAt = performance.now();
  try {
    // Orders go on through the other writer, while this one is stopped.
    await recovered();
    const wentOnMs = performance.now() - startedAt;
    note(`orders went on ${Math.round(wentOnMs)} ms after the stop`);
    const stopMs = isShort ? PAST_THE_LOCK_SHORT_MS : PAST_THE_LOCK_MS;
    await pause(Math.max(0, stopMs - wentOnMs));
  } finally {
    writer.process.signal('SIGCONT');
  }
  await recovered();
}

export const writerSigstop: Row = {
  name: 'writer-sigstop',
  what: 'one of two writers is stopped for 33 s, past its job lock, and resumed',
  expected: 'the other one drains; the resumed one finds its work done',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  strike: (stage) => stopPastTheLock(stage, false),
};

export const writerStoppedInCommit: Row = {
  name: 'writer-stopped-in-commit',
  what: 'one of two writers is stopped in the middle of its transaction for 33 s, and resumed',
  expected: 'MySQL takes its locks away and the other one drains, while it is stopped',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  strike: (stage) => stopPastTheLock(stage, true),
};
