import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/mysql2';
import { migrate } from 'drizzle-orm/mysql2/migrator';
import mysql, { type RowDataPacket } from 'mysql2/promise';

const LOCK = 'holdfast.migrate';
const LOCK_WAIT_SECONDS = 60;
const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url));

async function countMigrations(connection: mysql.Connection): Promise<number> {
  const [tables] = await connection.query<RowDataPacket[]>(
    "SHOW TABLES LIKE '__drizzle_migrations'",
  );
  if (tables.length === 0) return 0;
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT COUNT(*) AS migrations FROM __drizzle_migrations',
  );
  return Number(rows[0]?.migrations ?? 0);
}

/** How many migrations the database has, and how many there are. */
export async function readMigrations(
  connection: mysql.Connection,
): Promise<{ applied: number; known: number }> {
  const known = readMigrationFiles({ migrationsFolder }).length;
  return { applied: await countMigrations(connection), known };
}

/**
 * Brings the tables up to date and returns how many migrations it took. Processes that start
 * together wait for each other: drizzle itself takes no lock.
 */
export async function migrateDatabase(url: string): Promise<number> {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: 5_000 });
  try {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT GET_LOCK(?, ?) AS locked', [
      LOCK,
      LOCK_WAIT_SECONDS,
    ]);
    if (Number(rows[0]?.locked) !== 1) {
      throw new Error(`another process has been migrating for ${LOCK_WAIT_SECONDS} s; try again`);
    }
    const before = await countMigrations(connection);
    await migrate(drizzle({ client: connection }), { migrationsFolder });
    const after = await countMigrations(connection);
    await connection.query('SELECT RELEASE_LOCK(?)', [LOCK]);
    return after - before;
  } finally {
    await connection.end();
  }
}
