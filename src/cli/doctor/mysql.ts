import type { Connection, RowDataPacket } from 'mysql2/promise';
import { readMigrations } from '../../db/migrate.ts';
import { bad, type Check, either, ok, warn } from './check.ts';

const OFFSET_MAX_MS = 1_000;
const OPEN_FOR_SECONDS = 60;

async function variablesOf(connection: Connection, names: string[]): Promise<Map<string, string>> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)',
    [names],
  );
  return new Map(rows.map((row) => [String(row.Variable_name), String(row.Value)]));
}

async function checkDurability(connection: Connection): Promise<Check[]> {
  const names = ['innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', 'read_only'];
  const set = await variablesOf(connection, names);
  const flush = set.get('innodb_flush_log_at_trx_commit') ?? '?';
  const binlog = set.get('log_bin') === 'ON' ? (set.get('sync_binlog') ?? '?') : 'no binary log';
  const lost = 'A power cut can lose acknowledged orders: set it to 1.';
  const readOnly = set.get('read_only') === 'ON' || set.get('read_only') === '1';
  return [
    either(
      flush === '1',
      ok('log flush', 'at each commit'),
      warn('log flush', `innodb_flush_log_at_trx_commit=${flush}`, lost),
    ),
    either(
      binlog === '1' || binlog === 'no binary log',
      ok('binary log', binlog === '1' ? 'synced at each commit' : binlog),
      warn(
        'binary log',
        `sync_binlog=${binlog}`,
        'A failover can lose acknowledged orders: set 1.',
      ),
    ),
    either(
      !readOnly,
      ok('MySQL writes', 'taken'),
      bad('MySQL writes', 'read_only', 'MYSQL_URL must name the primary.'),
    ),
  ];
}

async function checkTables(connection: Connection): Promise<Check[]> {
  const { applied, known } = await readMigrations(connection);
  const found = `${applied} of ${known} migrations`;
  if (applied < known) return [bad('tables', found, 'Run "holdfast migrate".')];
  if (applied > known) {
    return [warn('tables', found, 'They are newer than this Holdfast: use the newer one.')];
  }
  const count = async (where: string) => {
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${where}`);
    return Number(rows[0]?.n ?? 0);
  };
  const before = `UTC_TIMESTAMP(3) - INTERVAL ${OPEN_FOR_SECONDS} SECOND`;
  const open = await count(`payment_events WHERE outcome IS NULL AND received_at < ${before}`);
  const unapplied = await count(`stock_adjustments WHERE epoch IS NULL AND created_at < ${before}`);
  const dead = await count('dead_letters WHERE replayed_at IS NULL');
  const due = await count("payment_events WHERE outcome = 'refund_due'");
  return [
    ok('tables', found),
    either(
      dead === 0,
      ok('dead letters', '0'),
      bad(
        'dead letters',
        `${dead} ${dead === 1 ? 'transition' : 'transitions'} that MySQL did not take`,
        'Run "holdfast dead-letters list".',
      ),
    ),
    either(
      open === 0,
      ok('payment receipts', 'all settled'),
      warn(
        'payment receipts',
        `${open} open for over a minute`,
        'Their orders are unknown here, or no process has the role reconciler.',
      ),
    ),
    either(
      unapplied === 0,
      ok('stock adjustments', 'all applied'),
      warn(
        'stock adjustments',
        `${unapplied} open for over a minute`,
        'Their lanes are closed, or no process has the role reconciler.',
      ),
    ),
    either(
      due === 0,
      ok('refunds due', '0'),
      warn('refunds due', String(due), 'Pay them back: their units were gone.'),
    ),
  ];
}

/** What MySQL is, how it is set, and what waits in its tables. */
export async function checkMysqlServer(connection: Connection): Promise<Check[]> {
  const before = Date.now();
  const [[row]] = await connection.query<RowDataPacket[]>(
    'SELECT VERSION() AS version, ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000) AS now_ms',
  );
  const offsetMs = Number(row?.now_ms) - Math.round((before + Date.now()) / 2);
  const version = String(row?.version);
  const name = version.includes('MariaDB') ? 'MariaDB' : 'MySQL';
  const minimum = name === 'MariaDB' ? '10.11' : '8.4';
  const found = `${offsetMs} ms from this machine's`;
  const needed = 'Holdfast needs MySQL 8.4 or 9, or MariaDB 10.11 or later.';
  const isNew = version.localeCompare(minimum, 'en', { numeric: true }) >= 0;
  return [
    either(isNew, ok(name, version), warn(name, version, needed)),
    either(
      Math.abs(offsetMs) <= OFFSET_MAX_MS,
      ok('MySQL clock', found),
      warn('MySQL clock', found, 'Run NTP on both machines.'),
    ),
    ...(await checkDurability(connection)),
    ...(await checkTables(connection)),
  ];
}
