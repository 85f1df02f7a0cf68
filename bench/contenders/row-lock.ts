import type { RowDataPacket } from 'mysql2/promise';
import { newReservationId } from '../../src/domain/ids.ts';
import { ROW_LOCK_TABLES } from '../api/row-lock.ts';
import { SOLD_OUT_PRODUCT } from '../api/settings.ts';
import type { Stores } from '../servers.ts';
import { askedOf, GRANTED_PRODUCT, nothing, PLENTY } from './baselines.ts';
import { type Contender, mustBe, type Question, type Task } from './contender.ts';
import { ordersOf } from './sending.ts';
import { startApi } from './start.ts';

const INSERTED_AT_ONCE = 1_000;
const HOLD_TTL_MS = 3_600_000;

async function makeTables({ mysql }: Stores): Promise<void> {
  for (const table of ROW_LOCK_TABLES) await mysql.query(table);
  await mysql.query(
    "INSERT INTO row_lock_products VALUES (?, 12900, 'USD', ?, 0), (?, 12900, 'USD', 0, 0)",
    [GRANTED_PRODUCT, PLENTY, SOLD_OUT_PRODUCT],
  );
}

// As the API makes them, only many at once.
async function insertHolds({ mysql }: Stores, count: number): Promise<void> {
  const [now, later] = [new Date(), new Date(Date.now() + HOLD_TTL_MS)];
  for (let left = count; left > 0; left -= INSERTED_AT_ONCE) {
    const rows = Array.from({ length: Math.min(left, INSERTED_AT_ONCE) }, () => [
      ...[newReservationId(0), GRANTED_PRODUCT, 1, 'held', '', 12_900, 'USD', now, later],
    ]);
    await mysql.query('INSERT INTO row_lock_holds VALUES ?', [rows]);
  }
  await mysql.query(
    'UPDATE row_lock_products SET available = available - ?, held = held + ? WHERE id = ?',
    [count, count, GRANTED_PRODUCT],
  );
}

async function heldIds({ mysql }: Stores): Promise<string[]> {
  const [rows] = await mysql.query<RowDataPacket[]>(
    "SELECT CONCAT('hold_', id) AS id FROM row_lock_holds WHERE state = 'held'",
  );
  return rows.map(({ id }) => String(id));
}

// `held` of the product counts holds that became orders, too: an order leaves that row alone.
async function audit({ mysql }: Stores, holds: number, orders: number): Promise<void> {
  const count = (from: string) => `(SELECT COUNT(*) FROM row_lock_${from})`;
  const [[found = {}]] = await mysql.query<RowDataPacket[]>(
    `SELECT available, held, ${count('holds')} AS persisted,` +
      ` ${count("holds WHERE state = 'ordered'")} AS ordered, ${count('orders')} AS orders` +
      ' FROM row_lock_products WHERE id = ?',
    [GRANTED_PRODUCT],
  );
  const taken = { available: PLENTY - holds, held: holds, persisted: holds };
  mustBe('row lock', found, { ...taken, ordered: orders, orders });
}

function taskOf(stores: Stores, question: Question): Task {
  if (question !== 'order') {
    const isGranted = question === 'hold' || question === 'keyed';
    const auditOf = (accepted: number) => audit(stores, isGranted ? accepted : 0, 0);
    return { ...askedOf(question), settle: nothing, audit: auditOf };
  }
  let holds = 0;
  const hold = async (count: number) => {
    await insertHolds(stores, count);
    holds += count;
  };
  const sending = ordersOf({ ids: () => heldIds(stores), hold });
  return { sending, status: 201, settle: nothing, audit: (orders) => audit(stores, holds, orders) };
}

/** MySQL alone decides. */
export const rowLock: Contender = {
  name: 'row lock',
  what: '`SELECT ... FOR UPDATE`, update, insert, durable commit; the same HTTP stack',
  open: async (bench) => {
    const stores = await bench.servers.stores();
    await makeTables(stores);
    const { api, port } = await startApi({ kind: 'row-lock', mysqlUrl: stores.mysqlUrl });
    const close = async () => {
      await api.stop();
      await stores.close();
    };
    return { port, api, prepare: async (question) => taskOf(stores, question), close };
  },
};
