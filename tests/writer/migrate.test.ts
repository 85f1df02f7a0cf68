import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { expect, inject, onTestFinished, test } from 'vitest';
import { migrateDatabase } from '../../src/db/migrate.ts';

const MIGRATIONS = readdirSync(new URL('../../drizzle/', import.meta.url)).filter((file) =>
  file.endsWith('.sql'),
).length;

async function emptyDatabase(): Promise<{ url: string; tables: () => Promise<string[]> }> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const admin = await mysql.createConnection({ uri: inject('mysqlUrl') });
  await admin.query(`CREATE DATABASE ${name}`);
  onTestFinished(async () => {
    await admin.query(`DROP DATABASE ${name}`);
    await admin.end();
  });
  const tables = async () => {
    const [rows] = await admin.query<RowDataPacket[]>(`SHOW TABLES FROM ${name}`);
    return rows.map((row) => String(Object.values(row)[0]));
  };
  return { url: inject('mysqlUrl').replace(/\/[^/]*$/, `/${name}`), tables };
}

test('migrating brings every table, and a second time does nothing', async () => {
  const { url, tables } = await emptyDatabase();
  expect(await migrateDatabase(url)).toBe(MIGRATIONS);
  const made = await tables();
  const expected = [
    'holds',
    'hold_items',
    'lanes',
    'orders',
    'payment_events',
    'products',
    'stock',
  ];
  expect(made).toEqual(expect.arrayContaining([...expected, 'stock_adjustments']));
  expect(await migrateDatabase(url)).toBe(0);
  expect(await tables()).toEqual(made);
});

test('of six processes that start together each migration is made by one', async () => {
  const { url } = await emptyDatabase();
  const counts = await Promise.all(Array.from({ length: 6 }, () => migrateDatabase(url)));
  expect(counts.reduce((a, b) => a + b)).toBe(MIGRATIONS);
});
