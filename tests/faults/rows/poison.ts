import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { oks } from '../checker/stories.ts';
import type { History } from '../history.ts';
import { ALL_ROLES } from '../world.ts';
import { HOLDS_LOST, NOTHING_LOST, REDIS_LOSES, type Row, type Stage } from './row.ts';

/** What the writer inserts and MySQL refuses. API processes insert receipts and adjustments, too. */
const REFUSED = [
  ['holds', 'CRC32(NEW.id) % 10 = 0'],
  ['orders', 'CRC32(NEW.id) % 20 = 0'],
  ['payment_events', 'NEW.outcome IS NOT NULL AND CRC32(NEW.reference) % 20 = 0'],
  ['stock_adjustments', 'NEW.epoch IS NOT NULL AND CRC32(NEW.`key`) % 3 = 0'],
] as const;

const LETTERS = 40;
const LETTERS_SHORT = 10;
const LETTERS_WITHIN_MS = 20_000;
/** Longer than an order waits for its commit. */
const REFUSES_MS = 8_000;
const REFUSES_SHORT_MS = 4_000;
const ALARM_WITHIN_MS = 2_000;
const ALARM = 'dead letter: a transition that MySQL does not take';
const OPEN = 'dead_letters WHERE replayed_at IS NULL';

const refuse = ([table, when]: (typeof REFUSED)[number]) =>
  `CREATE TRIGGER faults_${table} BEFORE INSERT ON ${table} FOR EACH ROW
    IF ${when} THEN
      SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by the fault run';
    END IF`;

async function rowsOf(connection: Connection, sql: string): Promise<RowDataPacket[]> {
  return (await connection.query<RowDataPacket[]>(sql))[0];
}

async function openLetters(connection: Connection): Promise<number> {
  return Number((await rowsOf(connection, `SELECT COUNT(*) AS count FROM ${OPEN}`))[0]?.count);
}

async function whileRefusing(connection: Connection, work: () => Promise<void>): Promise<void> {
  try {
    for (const it of REFUSED) await connection.query(refuse(it));
    await work();
  } finally {
    for (const [table] of REFUSED) {
      await connection.query(`DROP TRIGGER IF EXISTS faults_${table}`);
    }
  }
}

async function untilLetters(connection: Connection, count: number): Promise<void> {
  const giveUpAt = performance.now() + LETTERS_WITHIN_MS;
  while ((await openLetters(connection)) < count) {
    if (performance.now() > giveUpAt) throw new Error('too little was refused: nothing was tested');
    await pause(50);
  }
}

/** What was acknowledged as durable by now: the ids of orders, the references of payments. */
const acknowledged = (history: History) => ({
  orders: history.of('order').flatMap(({ attempts }) => {
    return oks(attempts).map(({ body }) => body.order_id ?? '');
  }),
  payments: history.of('pay').flatMap(({ request, attempts }) => {
    return oks(attempts).length > 0 ? [request.reference] : [];
  }),
});

/** Nobody was told that something is durable which only a dead letter has. */
async function checkNothingFalse({ sale, broken }: Stage, connection: Connection): Promise<void> {
  const { orders, payments } = acknowledged(sale.history);
  const idsOf = async (sql: string) =>
    new Set((await rowsOf(connection, sql)).map(({ id }) => String(id)));
  const inRows = await idsOf('SELECT id FROM orders');
  for (const id of orders) if (!inRows.has(id)) broken(`${id} is acknowledged, and in no row`);
  const decided = await idsOf(
    'SELECT reference AS id FROM payment_events WHERE outcome IS NOT NULL',
  );
  for (const reference of payments) {
    if (!decided.has(reference)) broken(`${reference} is acknowledged, and has no outcome`);
  }
}

/** Dead letters that no process has logged, by their position in the journal. */
async function unalarmed({ world }: Stage, letters: readonly RowDataPacket[]): Promise<string[]> {
  const alarms = (await world.logs()).split('\n').filter((line) => line.includes(ALARM));
  const told = alarms.join('\n');
  return letters
    .map(({ epoch, sequence }) => `"${epoch}-${sequence}"`)
    .filter((position) => !told.includes(position));
}

// The alarm comes right behind the commit.
async function checkAlarms(stage: Stage, connection: Connection): Promise<void> {
  const letters = await rowsOf(connection, `SELECT epoch, sequence FROM ${OPEN}`);
  const giveUpAt = performance.now() + ALARM_WITHIN_MS;
  while ((await unalarmed(stage, letters)).length > 0 && performance.now() < giveUpAt) {
    await pause(100);
  }
  for (const position of await unalarmed(stage, letters)) {
    stage.broken(`no alarm for the dead letter of ${position}`);
  }
}

/** Buyers of holds that are in no row, and how often they were told to come back later. */
async function tellOrders({ sale, note, broken }: Stage, connection: Connection): Promise<void> {
  const letters = await rowsOf(connection, `SELECT kind, reservation FROM ${OPEN}`);
  const waiting = new Set(letters.map(({ reservation }) => `hold_${reservation}`));
  const orders = sale.history.of('order').filter(({ request }) => waiting.has(request.hold_id));
  const told = orders.flatMap(({ attempts }) => attempts).filter(({ status }) => status === 503);
  const kinds = [...new Set(letters.map(({ kind }) => kind))].join(', ');
  note(
    `${letters.length} dead letters (${kinds}) of ${waiting.size} holds; their ${orders.length}` +
      ` orders were answered 503 ${told.length} times`,
  );
  if (told.length === 0) broken('nobody ordered what waits: that was not tested');
}

const REPLAY = ['dead-letters', 'replay', '--all'];

async function replay({ world, broken, note }: Stage, connection: Connection): Promise<void> {
  const startedAt = performance.now();
  const { exitCode, text } = await world.holdfast(...REPLAY);
  const left = await openLetters(connection);
  note(`replayed in ${Math.round(performance.now() - startedAt)} ms`);
  if (exitCode !== 0 || left > 0) {
    broken(`the replay ended with code ${exitCode} and left ${left} dead letters open: ${text}`);
  }
}

/** MySQL refuses rows for some seconds; afterwards the lane goes on, and its letters wait. */
async function poison(stage: Stage, connection: Connection): Promise<void> {
  const { world, sale, isShort, broken, recovered } = stage;
  await whileRefusing(connection, async () => {
    const enough = untilLetters(connection, isShort ? LETTERS_SHORT : LETTERS);
    await Promise.all([enough, pause(isShort ? REFUSES_SHORT_MS : REFUSES_MS)]);
    // The cause is still there: what was refused is refused again, and nothing else comes of it.
    await world.holdfast(...REPLAY);
    if ((await openLetters(connection)) === 0) broken('nothing waits while nothing is taken');
  });
  await recovered();
  await sale.more(0.1);
  await checkNothingFalse(stage, connection);
  await checkAlarms(stage, connection);
  await tellOrders(stage, connection);
}

const world = { processes: [ALL_ROLES, ALL_ROLES] };

export const poisonEntry: Row = {
  name: 'poison-entry',
  what: 'MySQL refuses one of ten holds and other rows for some seconds; what it refused is replayed',
  expected:
    'dead letters with an alarm, and the lane goes on; what waits is answered 503 and never' +
    ' acknowledged; a replay under load puts everything in its place',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  composable: true,
  strike: (stage) =>
    stage.world.mysql.connected(async (connection) => {
      const { world, broken, recovered } = stage;
      const laneIs = () => world.control.hmget('hf:{0}:lane', 'state', 'epoch');
      const before = await laneIs();
      await poison(stage, connection);
      await replay(stage, connection);
      const after = await laneIs();
      if (after.join() !== before.join()) broken(`the lane was ${before} and is ${after}`);
      await recovered();
    }),
};

export const poisonRebuilt: Row = {
  name: 'poison-rebuilt',
  what: 'the same, and FLUSHALL while the dead letters wait; then a replay, and reconcile --fix',
  expected:
    'the rebuild counts what waits as taken; what a replay finds alive is given back to Redis, or' +
    ' ends there',
  declared: HOLDS_LOST,
  rules: REDIS_LOSES,
  world,
  crowd: true,
  composable: true,
  strike: (stage) =>
    stage.world.mysql.connected(async (connection) => {
      const { world, broken, recovered, sale } = stage;
      await poison(stage, connection);
      await world.control.flushall();
      await recovered();
      await sale.more(0.1);
      await replay(stage, connection);
      const { exitCode, text } = await world.holdfast('reconcile', '--fix');
      if (exitCode !== 0) broken(`reconcile --fix: code ${exitCode}, ${text}`);
      await recovered();
    }),
};
