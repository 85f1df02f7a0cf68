import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const LANE = 'hf:{0}:lane';
const OUTBOX = 'hf:{0}:outbox';
const CLOSES_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 20;

/** A change of counters that no script made. */
interface Planted {
  where: string;
  productId: number;
  /** Of the journal; the next entry that tells of the product is the one that shows it. */
  after: string;
  /** By how many available units Redis has more than its journal leads to. */
  units: number;
}

const productOf = ({ sale }: Stage, name: string): number => {
  const found = sale.products.find((product) => product.name === name);
  if (!found) throw new Error(`the sale has no product ${name}`);
  return found.id;
};

/** In one step with a look at where the journal stands. */
async function plantInRedis(stage: Stage, name: string, units: number): Promise<Planted> {
  const productId = productOf(stage, name);
  const step = stage.world.control.multi();
  step.hincrby(`hf:{0}:product:${productId}`, 'available', units);
  const replies = await step.hget(LANE, 'position').exec();
  return { where: 'Redis', productId, after: String(replies?.[1]?.[1]), units };
}

async function plantInMysql(stage: Stage, name: string, units: number): Promise<Planted> {
  const productId = productOf(stage, name);
  return stage.world.mysql.connected(async (connection) => {
    await connection.query('START TRANSACTION');
    const [[row]] = await connection.query<RowDataPacket[]>(
      'SELECT epoch, sequence FROM stock WHERE product_id = ? FOR UPDATE',
      [productId],
    );
    await connection.query('UPDATE stock SET available = available + ? WHERE product_id = ?', [
      units,
      productId,
    ]);
    await connection.query('COMMIT');
    return { where: 'MySQL', productId, after: `${row?.epoch}-${row?.sequence}`, units: -units };
  });
}

/** The first entry behind a position that tells where a product stands. */
async function nextOf(control: Redis, productId: number, after: string): Promise<string> {
  for (const [id, fields] of await control.xrange(OUTBOX, `(${after}`, '+')) {
    const at = fields.indexOf('counters');
    const products = at < 0 ? [] : (fields[at + 1] ?? '').split(',');
    if (products.some((text) => text.startsWith(`${productId}:`))) return id;
  }
  return 'nowhere';
}

async function openDrifts(connection: Connection): Promise<RowDataPacket[]> {
  const sql = 'SELECT * FROM drifts WHERE resolved_at IS NULL';
  return (await connection.query<RowDataPacket[]>(sql))[0];
}

// MariaDB has JSON as text.
const availableOf = (json: unknown): number =>
  (typeof json === 'string' ? JSON.parse(json) : json).available;

/** What the engine wrote down is what was planted, and where it first showed. */
async function checkDrift(stage: Stage, planted: Planted, connection: Connection): Promise<void> {
  const { world, broken } = stage;
  const { where, productId, after, units } = planted;
  const shows = await nextOf(world.control, productId, after);
  const drifts = await openDrifts(connection);
  const told = drifts.map(({ epoch, sequence, product_id, expected, found }) => {
    const difference = availableOf(found) - availableOf(expected);
    return `${difference} of product ${product_id} at ${epoch}-${sequence}`;
  });
  const wanted = `${units} of product ${productId} at ${shows}`;
  if (told.join() !== wanted) {
    broken(`planted in ${where}: ${wanted}; the engine found ${told.join(', ') || 'nothing'}`);
  }
}

async function untilClosed({ world: { control } }: Stage): Promise<void> {
  const giveUpAt = performance.now() + CLOSES_WITHIN_MS;
  while ((await control.hget(LANE, 'state')) !== 'closed') {
    if (performance.now() > giveUpAt) throw new Error('the lane did not close on drift');
    await pause(LOOK_EVERY_MS);
  }
}

async function putRight(stage: Stage, planted: Planted, connection: Connection): Promise<void> {
  const { world, sale, probe, broken, recovered } = stage;
  const epoch = await world.control.hget(LANE, 'epoch');
  await untilClosed(stage);
  await checkDrift(stage, planted, connection);
  const items = [{ product_id: probe.id, qty: 1 }];
  const hold = await sale.ask('prober', { kind: 'hold', items, buyer: 'while-closed' });
  const status = hold.attempts[0]?.status;
  if (status !== 503) broken(`a hold was answered ${status} while the books differ`);
  // That the lane is closed is a finding, too: it opens a moment later.
  const fixed = await world.holdfast('reconcile', '--fix');
  if (fixed.exitCode > 1) broken(`reconcile --fix: code ${fixed.exitCode}, ${fixed.text}`);
  await recovered();
  const again = await world.holdfast('reconcile');
  if (again.exitCode !== 0) broken(`reconcile afterwards: code ${again.exitCode}, ${again.text}`);
  const left = await openDrifts(connection);
  if (left.length > 0) broken(`${left.length} drifts are open though the lane is`);
  const now = await world.control.hget(LANE, 'epoch');
  if (now !== epoch) broken(`the epoch went from ${epoch} to ${now}: a repair is no rebuild`);
}

async function strike(stage: Stage, connection: Connection): Promise<void> {
  const { sale } = stage;
  await putRight(stage, await plantInRedis(stage, 'plenty', 7), connection);
  await sale.more(0.1);
  await putRight(stage, await plantInMysql(stage, 'extra', 3), connection);
  await sale.more(0.1);
  await putRight(stage, await plantInRedis(stage, 'plenty', -4), connection);
}

export const driftPlanted: Row = {
  name: 'drift-planted',
  what: "counters are changed by hand, twice in Redis and once in MySQL's stock",
  expected:
    'the lane closes, and the first entry that shows it is on record; `reconcile --fix` puts the' +
    ' counters right and the lane opens by itself, in the same epoch',
  rules: NOTHING_LOST,
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: true,
  composable: true,
  strike: (stage) => stage.world.mysql.connected((connection) => strike(stage, connection)),
};
