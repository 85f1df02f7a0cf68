import type { RowDataPacket } from 'mysql2/promise';
import { type Bench, mustBe } from '../contenders/contender.ts';
import { type WrittenJournal, writeJournal } from '../load/journal.ts';
import { oneDigit, twoDigits, whole } from '../report.ts';
import { median } from '../rounds.ts';
import type { Stores } from '../servers.ts';
import type { Case } from './case.ts';
import { FILLED, openDrain, putBack, remember, timed } from './drained.ts';

const WAVES = 10;

/** One drain of the whole journal. All but `rowBytes` are for one transition. */
interface Figures {
  perSecond: number;
  writerUs: number;
  mysqlUs: number;
  bytes: number;
  /** Of a row of `transitions`; NaN where there are none. */
  rowBytes: number;
}

async function bytesOf({ mysql }: Stores): Promise<Map<string, number>> {
  await mysql.query(`ANALYZE TABLE ${FILLED.join(', ')}`);
  const [rows] = await mysql.query<RowDataPacket[]>(
    'SELECT table_name AS name, data_length + index_length AS bytes FROM information_schema.tables' +
      ' WHERE table_schema = DATABASE() AND table_name IN (?)',
    [FILLED],
  );
  return new Map(rows.map(({ name, bytes }) => [String(name), Number(bytes)]));
}

async function audit({ mysql }: Stores, journal: WrittenJournal, keepsHistory: boolean) {
  const count = (table: string) => `(SELECT COUNT(*) FROM ${table})`;
  const [[found = {}]] = await mysql.query<RowDataPacket[]>(
    `SELECT ${count('holds')} AS holds, ${count("orders WHERE state = 'paid'")} AS orders,` +
      ` ${count('transitions')} AS transitions, (SELECT SUM(sold) FROM stock) AS sold,` +
      ' (SELECT SUM(held + pending) FROM stock) AS taken',
  );
  const transitions = keepsHistory ? journal.transitions : 0;
  mustBe('the writer', found, { ...journal, transitions, sold: journal.orders, taken: 0 });
}

async function measure(
  { servers }: Bench,
  stores: Stores,
  journal: WrittenJournal,
  keepsHistory: boolean,
): Promise<Figures> {
  await putBack(stores);
  const writer = await openDrain(stores, keepsHistory);
  try {
    const { elapsedMs, ownUs, mysqlUs } = await timed(servers, writer.drain);
    await audit(stores, journal, keepsHistory);
    const bytes = await bytesOf(stores);
    const { transitions } = journal;
    const historyBytes = keepsHistory ? (bytes.get('transitions') ?? Number.NaN) : Number.NaN;
    const all = [...bytes].reduce((sum, [, size]) => sum + size, 0);
    return {
      perSecond: (transitions * 1_000) / elapsedMs,
      writerUs: ownUs / transitions,
      mysqlUs: mysqlUs / transitions,
      bytes: all / transitions,
      rowBytes: historyBytes / transitions,
    };
  } finally {
    await writer.close();
  }
}

type Rounds = Record<'all' | 'last', Figures[]>;

async function runRounds(bench: Bench, stores: Stores, journal: WrittenJournal, rounds: number) {
  const measured: Rounds = { all: [], last: [] };
  const once = (name: keyof Rounds) => measure(bench, stores, journal, name === 'all');
  // Not counted: code and caches warm up.
  await once('all');
  await once('last');
  for (let round = 0; round < rounds; round += 1) {
    const names: (keyof Rounds)[] = round % 2 === 0 ? ['all', 'last'] : ['last', 'all'];
    for (const name of names) measured[name].push(await once(name));
  }
  return measured;
}

const medianOf = (rounds: readonly Figures[], figure: keyof Figures) =>
  median(rounds.map((round) => round[figure]));

const ratioOf = ({ all, last }: Rounds, figure: keyof Figures) =>
  median(all.map((round, index) => round[figure] / (last[index]?.[figure] ?? Number.NaN)));

const COLUMNS: [name: string, figure: keyof Figures, show: (value: number) => string][] = [
  ['transitions/s', 'perSecond', whole],
  ['writer CPU us', 'writerUs', oneDigit],
  ['MySQL CPU us', 'mysqlUs', (value) => (Number.isNaN(value) ? '-' : oneDigit(value))],
  ['MySQL bytes', 'bytes', whole],
];

/** What the writer pays for the history of reservations. */
export const history: Case = {
  name: 'history',
  what: 'what it costs the writer to keep every transition (HISTORY)',
  run: async (bench, { rounds }) => {
    const stores = await bench.servers.stores();
    try {
      const journal = await writeJournal(stores, WAVES);
      await remember(stores);
      const measured = await runRounds(bench, stores, journal, rounds);
      const row = (name: keyof Rounds) => [
        `HISTORY=${name}`,
        ...COLUMNS.map(([, figure, show]) => show(medianOf(measured[name], figure))),
      ];
      const ratios = COLUMNS.map(([, figure]) => twoDigits(ratioOf(measured, figure)));
      return {
        title: 'The history of reservations',
        notes: [
          `One journal of ${whole(journal.transitions)} transitions, drained by one writer into ` +
            `emptied tables, ${rounds} rounds of each in turn; medians, for one transition. Of ` +
            `${whole(journal.holds)} holds half were ordered and paid, half expired. MySQL bytes: ` +
            'data and indexes of all tables that this fills; a row of `transitions` takes ' +
            `${whole(medianOf(measured.all, 'rowBytes'))}.`,
        ],
        head: ['', ...COLUMNS.map(([name]) => name)],
        rows: [row('all'), row('last'), ['all / last', ...ratios]],
        targets: [],
        json: { ...journal, ...measured },
      };
    } finally {
      await stores.close();
    }
  },
};
