import type { RowDataPacket } from 'mysql2/promise';
import { type Bench, mustBe } from '../contenders/contender.ts';
import { Holdfast } from '../contenders/holdfast.ts';
import { insertAll, readTransactions, type Transaction } from '../load/raw-insert.ts';
import { takeHolds } from '../load/take.ts';
import { oneDigit, twoDigits, whole } from '../report.ts';
import { median } from '../rounds.ts';
import type { Stores } from '../servers.ts';
import type { Case } from './case.ts';
import { openDrain, putBack, remember, type Taken, timed } from './drained.ts';

const HOLDS = 100_000;
/** A hold of one unit is a row in each. */
const TABLES = ['holds', 'hold_items', 'transitions'];

type Name = 'writer' | 'raw insert';
type Rounds = Record<Name, Taken[]>;

// Leaves holds in the journal that MySQL does not have, and nobody at work any more.
async function fill(bench: Bench, subject: Holdfast, connections: number) {
  const { port, stores, api, writer } = subject;
  const id = await subject.createProduct(HOLDS);
  await subject.settle();
  await writer?.stop();
  await remember(stores);
  await takeHolds(bench, port, id, { connections, count: HOLDS });
  await api.stop();
  return id;
}

async function auditRows({ mysql }: Stores): Promise<void> {
  for (const table of TABLES) {
    const sql = `SELECT COUNT(*) AS persisted FROM ${table}`;
    const [[found = {}]] = await mysql.query<RowDataPacket[]>(sql);
    mustBe(table, found, { persisted: HOLDS });
  }
}

async function commits({ mysql }: Stores): Promise<number> {
  const sql = "SHOW GLOBAL STATUS LIKE 'Com_commit'";
  const [[row]] = await mysql.query<RowDataPacket[]>(sql);
  return Number(row?.Value);
}

// One round of the writer; a new one each time, for it remembers how far it was.
async function write({ servers }: Bench, subject: Holdfast, id: number): Promise<Taken> {
  await putBack(subject.stores);
  const { drain, close } = await openDrain(subject.stores, true);
  try {
    const taken = await timed(servers, drain);
    await subject.audit(id, HOLDS, { holds: HOLDS });
    await auditRows(subject.stores);
    return taken;
  } finally {
    await close();
  }
}

async function insert({ servers }: Bench, { stores }: Holdfast, rows: Transaction[]) {
  await putBack(stores);
  const taken = await timed(servers, () => insertAll(stores, rows));
  await auditRows(stores);
  return taken;
}

async function measure(bench: Bench, subject: Holdfast, id: number, rounds: number) {
  const { stores } = subject;
  const before = await commits(stores);
  // Not counted: code and caches warm up. What it wrote is what the other side inserts.
  await write(bench, subject, id);
  const rowsEach = Math.ceil(HOLDS / ((await commits(stores)) - before));
  const rows = await readTransactions(stores, TABLES, rowsEach);
  await insert(bench, subject, rows);
  const measured: Rounds = { writer: [], 'raw insert': [] };
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) measured.writer.push(await write(bench, subject, id));
    measured['raw insert'].push(await insert(bench, subject, rows));
    if (round % 2 === 1) measured.writer.push(await write(bench, subject, id));
  }
  return { measured, rowsEach };
}

function reportOf(measured: Rounds, rowsEach: number) {
  const rounds = measured.writer.length;
  const ratio = median(
    measured.writer.map(
      (own, round) => (measured['raw insert'][round]?.elapsedMs ?? Number.NaN) / own.elapsedMs,
    ),
  );
  const each = (name: Name, figure: keyof Taken) =>
    median(measured[name].map((taken) => taken[figure])) / HOLDS;
  const rowOf = (name: Name, against: number) => [
    name,
    whole(1_000 / each(name, 'elapsedMs')),
    oneDigit(each(name, 'ownUs')),
    Number.isNaN(each(name, 'mysqlUs')) ? '-' : oneDigit(each(name, 'mysqlUs')),
    twoDigits(against),
  ];
  const plural = rounds === 1 ? 'round' : 'rounds';
  return {
    title: 'The writer and a filled journal',
    notes: [
      `${whole(HOLDS)} holds of one unit, made while no writer was there, then persisted into emptied ` +
        `tables by one; medians of ${rounds} ${plural} in turn, for one hold. The writer reads the ` +
        'journal and writes a row of `holds`, of `hold_items` and of `transitions` for each, and with ' +
        'each transaction moves the stock of the product and the watermark of the lane. raw insert: ' +
        'the very same rows of the three tables from memory, by multi-row inserts of mysql2 on one ' +
        `connection that never waits for us; ${whole(rowsEach)} rows of each table in a transaction, ` +
        'as the writer has them. Both commit durably.',
    ],
    head: ['', 'holds/s', 'own CPU us', 'MySQL CPU us', 'x raw insert'],
    rows: [rowOf('writer', ratio), rowOf('raw insert', 1)],
    targets: [
      {
        what: 'the writer, against a raw insert of its rows',
        measured: ratio,
        atLeast: 0.6,
        unit: 'x',
      },
    ],
    json: { holds: HOLDS, rowsEach, ...measured },
  };
}

/** How fast holds reach MySQL when nothing else is done. */
export const writer: Case = {
  name: 'writer',
  what: `how fast the writer persists ${whole(HOLDS)} holds, and MySQL alone`,
  run: async (bench, { connections, rounds }) => {
    const subject = await Holdfast.open(bench, { roles: 'apart' });
    try {
      const id = await fill(bench, subject, connections);
      const { measured, rowsEach } = await measure(bench, subject, id, rounds);
      return reportOf(measured, rowsEach);
    } finally {
      await subject.close();
    }
  },
};
