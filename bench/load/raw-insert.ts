import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import type { Stores } from '../servers.ts';

/** Rows of one transaction, by the table that they belong to. */
export type Transaction = Map<string, unknown[][]>;

/** So many rows of each table, in the order of their first column, cut into transactions. */
export async function readTransactions(
  { mysql: connection }: Stores,
  tables: readonly string[],
  rowsEach: number,
): Promise<Transaction[]> {
  const transactions: Transaction[] = [];
  for (const table of tables) {
    const sql = `SELECT * FROM ${table} ORDER BY 1`;
    const reading = { sql, rowsAsArray: true, dateStrings: true };
    const [rows] = await connection.query<RowDataPacket[][]>(reading);
    for (let first = 0; first < rows.length; first += rowsEach) {
      const index = first / rowsEach;
      const transaction: Transaction = transactions[index] ?? new Map();
      transaction.set(table, rows.slice(first, first + rowsEach) as unknown[][]);
      transactions[index] = transaction;
    }
  }
  return transactions;
}

async function insert(connection: Connection, transaction: Transaction): Promise<void> {
  // The driver sends them one after the other, each as soon as the one before is answered.
  const begun = connection.beginTransaction();
  const inserted = [...transaction].map(([table, rows]) =>
    connection.query(`INSERT INTO ${table} VALUES ?`, [rows]),
  );
  await Promise.all([begun, ...inserted, connection.commit()]);
}

/** The fastest that a connection inserts these rows: the next transaction waits in line already. */
export async function insertAll(
  { mysqlUrl }: Stores,
  transactions: readonly Transaction[],
): Promise<void> {
  const connection = await mysql.createConnection({ uri: mysqlUrl });
  try {
    let before = Promise.resolve();
    for (const transaction of transactions) {
      const inserting = insert(connection, transaction);
      // Whoever awaits it hears of it.
      inserting.catch(() => {});
      await before;
      before = inserting;
    }
    await before;
  } finally {
    await connection.end();
  }
}
