import type { RowDataPacket } from 'mysql2/promise';
import { ROW_LOCK_TABLES } from '../api/row-lock.ts';
import { type ApiSettings, SOLD_OUT_PRODUCT } from '../api/settings.ts';
import { Child } from '../ipc.ts';
import { getRequest, postRequest } from '../load/generator.ts';
import type { Stores } from '../servers.ts';
import { type Contender, mustBe, type Question, type Task } from './contender.ts';

const apiProcess = new URL('../api/process.ts', import.meta.url);
const GRANTED_PRODUCT = 1;
const PLENTY = 1_000_000_000;

async function start(settings: Partial<ApiSettings>) {
  const api = new Child(apiProcess);
  const port = await api.ask<number>('start', settings);
  return { api, port };
}

const nothing = async () => {};

function requestsOf(question: Question): Pick<Task, 'requests' | 'status'> {
  if (question === 'read') {
    return { requests: [getRequest(`/api/products/${GRANTED_PRODUCT}`)], status: 200 };
  }
  const granted = question === 'hold';
  const body = { product_id: granted ? GRANTED_PRODUCT : SOLD_OUT_PRODUCT, qty: 1 };
  return { requests: [postRequest('/api/holds', body)], status: granted ? 201 : 409 };
}

const withoutStore = (kind: ApiSettings['kind'], name: string, what: string): Contender => ({
  name,
  what,
  open: async () => {
    const { api, port } = await start({ kind });
    const prepare = async (question: Question): Promise<Task> => {
      return { ...requestsOf(question), settle: nothing, audit: nothing };
    };
    return { port, api, prepare, close: () => api.stop() };
  },
});

export const nodeHttp = withoutStore('node-http', 'node:http', 'the same answer, nothing else');
export const rawHono = withoutStore('raw-hono', 'raw Hono', 'Hono and zod, the same answer');
export const bare = withoutStore('bare', 'bare', 'the same zod-openapi route and answer, no store');

export const bareLater = withoutStore(
  'bare-later',
  'bare later',
  'bare, each turn of the event loop answered together 2 ms later',
);

async function auditRowLock({ mysql }: Stores, accepted: number): Promise<void> {
  const one = async (sql: string) =>
    (await mysql.query<RowDataPacket[]>(sql, [GRANTED_PRODUCT]))[0][0] ?? {};
  const product = await one('SELECT available, held FROM row_lock_products WHERE id = ?');
  mustBe('row lock', product, { available: PLENTY - accepted, held: accepted });
  const rows = await one('SELECT COUNT(*) AS persisted FROM row_lock_holds WHERE product_id = ?');
  mustBe('row lock', rows, { persisted: accepted });
}

/** MySQL alone decides. */
export const rowLock: Contender = {
  name: 'row lock',
  what: '`SELECT ... FOR UPDATE`, update, insert, durable commit; the same HTTP stack',
  open: async (bench) => {
    const stores = await bench.servers.stores();
    for (const table of ROW_LOCK_TABLES) await stores.mysql.query(table);
    await stores.mysql.query(
      "INSERT INTO row_lock_products VALUES (?, 12900, 'USD', ?, 0), (?, 12900, 'USD', 0, 0)",
      [GRANTED_PRODUCT, PLENTY, SOLD_OUT_PRODUCT],
    );
    const { api, port } = await start({ kind: 'row-lock', mysqlUrl: stores.mysqlUrl });
    const prepare = async (question: Question): Promise<Task> => ({
      ...requestsOf(question),
      settle: nothing,
      audit: (accepted) => auditRowLock(stores, question === 'hold' ? accepted : 0),
    });
    const close = async () => {
      await api.stop();
      await stores.close();
    };
    return { port, api, prepare, close };
  },
};
