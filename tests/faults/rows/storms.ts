import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { pick, type Random, whole } from '../random.ts';
import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

// The writer locks its lane, then rows of holds and orders, then those of stock.
const STOCK = 'SELECT product_id FROM stock FOR UPDATE';
const HOLDS = 'SELECT id FROM holds FOR UPDATE';
const LANE = 'SELECT lane FROM lanes FOR UPDATE';
const OTHER_ORDERS = [
  [STOCK, LANE],
  [HOLDS, LANE],
  [STOCK, HOLDS],
] as const;

/** Of two transactions in a deadlock, InnoDB rolls back the one that changed less. */
const BALLAST_ROWS = 3_000;
const STANDS_MS_MIN = 10;
const STANDS_MS_MAX = 60;
/** Longer than the second after which a writer that waits gives up. */
const LOCKED_MS = 1_400;
const OPEN_MS = 300;
const SIGNALS = [1213, 1205, 1020] as const;

async function countOf(connection: Connection, sql: string): Promise<number> {
  return Number((await connection.query<RowDataPacket[]>(sql))[0][0]?.count);
}

const metric = (connection: Connection, name: 'lock_deadlocks' | 'lock_timeouts') =>
  countOf(
    connection,
    `SELECT \`count\` AS count FROM information_schema.innodb_metrics WHERE name = '${name}'`,
  );

/** Locks in the other order, over and over. Returns how often that cost a process its transaction. */
async function deadlocks(connection: Connection, random: Random, forMs: number): Promise<number> {
  await connection.query('CREATE TABLE faults_ballast (id INT PRIMARY KEY, weight INT NOT NULL)');
  const rows = Array.from({ length: BALLAST_ROWS }, (_, id) => [id, 0]);
  await connection.query('INSERT INTO faults_ballast VALUES ?', [rows]);
  const before = await metric(connection, 'lock_deadlocks');
  const endsAt = performance.now() + forMs;
  let own = 0;
  while (performance.now() < endsAt) {
    const [first, second] = pick(random, OTHER_ORDERS);
    await connection.query('START TRANSACTION');
    try {
      await connection.query('UPDATE faults_ballast SET weight = weight + 1');
      await connection.query(first);
      await pause(whole(random, STANDS_MS_MIN, STANDS_MS_MAX));
      await connection.query(second);
    } catch (error) {
      if ((error as { errno?: number }).errno !== 1213) throw error;
      own += 1;
    } finally {
      await connection.query('ROLLBACK');
    }
    await pause(whole(random, 0, STANDS_MS_MIN));
  }
  return (await metric(connection, 'lock_deadlocks')) - before - own;
}

/** Keeps locks for longer than anybody waits. Returns how often a process gave up waiting. */
async function timeouts({ world }: Stage, connection: Connection, forMs: number): Promise<number> {
  const waitedFor = await countOf(connection, 'SELECT @@GLOBAL.innodb_lock_wait_timeout AS count');
  const before = await metric(connection, 'lock_timeouts');
  // It holds for new connections only.
  const waitFor = async (seconds: number) => {
    await connection.query(`SET GLOBAL innodb_lock_wait_timeout = ${seconds}`);
    await world.mysql.cutConnections([connection]);
  };
  await waitFor(1);
  const endsAt = performance.now() + forMs;
  while (performance.now() < endsAt) {
    await connection.query('START TRANSACTION');
    await connection.query(STOCK);
    await pause(LOCKED_MS);
    await connection.query('ROLLBACK');
    await pause(OPEN_MS);
  }
  await waitFor(waitedFor);
  return (await metric(connection, 'lock_timeouts')) - before;
}

/**
 * Has every third change of a product's stock fail with one of the three errors: of its own accord
 * 1020 would come too seldom. Returns how often that happened.
 */
async function signals(connection: Connection, forMs: number): Promise<number> {
  // No transaction can take back what is counted here.
  await connection.query('CREATE TABLE faults_signals (number INT NOT NULL) ENGINE = MEMORY');
  await connection.query(`
    CREATE TRIGGER faults_stock BEFORE INSERT ON stock FOR EACH ROW
    BEGIN
      DECLARE number INT DEFAULT ELT(1 + FLOOR(RAND() * 3), ${SIGNALS.join()});
      IF RAND() < 0.3 THEN
        INSERT INTO faults_signals VALUES (number);
        SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = number, MESSAGE_TEXT = 'told by the fault run';
      END IF;
    END`);
  await pause(forMs);
  await connection.query('DROP TRIGGER faults_stock');
  const kinds = await countOf(
    connection,
    'SELECT COUNT(DISTINCT number) AS count FROM faults_signals',
  );
  const count = await countOf(connection, 'SELECT COUNT(*) AS count FROM faults_signals');
  return kinds === SIGNALS.length ? count : 0;
}

// Whatever went wrong, the next fault of a longer run must not meet it.
async function calm(connection: Connection): Promise<void> {
  await connection.query('ROLLBACK');
  await connection.query('DROP TRIGGER IF EXISTS faults_stock');
  await connection.query('DROP TABLE IF EXISTS faults_ballast, faults_signals');
}

async function storm(stage: Stage, connection: Connection): Promise<void> {
  const { random, isShort, recovered, broken, note } = stage;
  const lettersOf = () => countOf(connection, 'SELECT COUNT(*) AS count FROM dead_letters');
  const before = await lettersOf();
  const happened = {
    deadlocks: await deadlocks(connection, random, isShort ? 2_000 : 5_000),
    'lock wait timeouts': await timeouts(stage, connection, isShort ? 3_000 : 8_000),
    'errors 1213, 1205 and 1020': await signals(connection, isShort ? 2_000 : 5_000),
  };
  await recovered();
  const total = Object.values(happened).reduce((sum, count) => sum + count, 0);
  for (const [what, count] of Object.entries(happened)) {
    // A short storm may end before the locks of one kind have met.
    if (isShort && total > 0) break;
    if (count === 0) broken(`there were no ${what}: nothing was tested`);
  }
  note(
    Object.entries(happened)
      .map(([what, count]) => `${count} ${what}`)
      .join(', '),
  );
  const letters = (await lettersOf()) - before;
  if (letters > 0) broken(`${letters} transitions became dead letters: nothing is wrong with them`);
}

export const lockStorm: Row = {
  name: 'lock-storm',
  what: 'transactions of the writer run into deadlocks, lock wait timeouts and errors 1213, 1205, 1020, for some seconds each',
  expected: 'they are run again; none becomes a dead letter',
  rules: NOTHING_LOST,
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: true,
  composable: true,
  strike: (stage) =>
    stage.world.mysql.connected((connection) =>
      storm(stage, connection).finally(() => calm(connection)),
    ),
};
