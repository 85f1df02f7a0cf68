import { query } from '../../db/client.ts';
import { readQuarantined } from '../../db/dead-letters.ts';
import { type LiveRow, listLiveHolds, listPendingOrders } from '../../db/live.ts';
import { Deadline } from '../../domain/deadline.ts';
import {
  formatDueMember,
  formatRecord,
  isLive,
  parseItems,
  parseRecord,
} from '../../domain/reservation.ts';
import { dueKey, laneKeysPattern, reservationKey } from '../../redis/keys.ts';
import type { Books } from './books.ts';
import { examineSuspects, type Suspect } from './suspects.ts';

const PAGE = 1_000;
const MYSQL_LIMIT_MS = 60_000;

/** Finds reservations that look otherwise in Redis than in MySQL; most of them are only on the way. */
class LivePass {
  readonly #books: Books;
  readonly #lane: number;
  readonly #suspects = new Map<string, string[]>();
  /** Members that there must be by the rows, until the index shows them. */
  readonly #awaited = new Set<string>();
  #waiting: ReadonlySet<string> = new Set();

  constructor(books: Books, lane: number) {
    this.#books = books;
    this.#lane = lane;
  }

  async run(): Promise<Suspect[]> {
    const { database } = this.#books.parts;
    // What waits as a dead letter has rows that are behind, and a finding of its own.
    const reading = readQuarantined(database.pool, this.#lane);
    this.#waiting = await query(new Deadline(MYSQL_LIMIT_MS), 'dead letters', reading);
    await this.#readRows(listLiveHolds, 'holds');
    await this.#readRows(listPendingOrders, 'orders');
    await this.#scanIndex();
    await this.#scanRecords();
    return [...this.#suspects].map(([id, members]) => ({ id, members }));
  }

  get #redis() {
    return this.#books.parts.link.redis;
  }

  #suspect(id: string, member?: string): void {
    if (this.#waiting.has(id)) return;
    const members = this.#suspects.get(id) ?? [];
    if (member) members.push(member);
    this.#suspects.set(id, members);
  }

  async #readRows(list: typeof listPendingOrders, step: string): Promise<void> {
    const { database } = this.#books.parts;
    const read = (after: string) => {
      const page = list(database, this.#lane, after, PAGE);
      const rows = query(new Deadline(MYSQL_LIMIT_MS), step, page);
      rows.catch(() => {}); // Nobody waits for it any more where a comparison has failed.
      return rows;
    };
    let count = 0;
    for (let page: Promise<LiveRow[]> | undefined = read(''); page; ) {
      const rows: LiveRow[] = await page;
      const last = rows.at(-1);
      // The next one is read while this one is compared.
      page = last && rows.length === PAGE ? read(last.id) : undefined;
      const concerned = rows.filter(({ record }) => this.#books.concerns(record.items));
      if (concerned.length > 0) await this.#compare(concerned);
      count += rows.length;
      this.#books.reservations += concerned.length;
      await this.#books.step(step, count, count);
    }
  }

  async #compare(rows: readonly LiveRow[]): Promise<void> {
    const members = rows.map(({ id, record }) => formatDueMember(id, record));
    const keys = rows.map(({ id }) => reservationKey(this.#lane, id));
    const [scores, texts, [seconds]] = await this.#books.ask(
      'reservations',
      Promise.all([
        this.#redis.zmscore(dueKey(this.#lane), ...members),
        this.#redis.mget(keys),
        this.#redis.time(),
      ]),
    );
    for (const [index, { id, record }] of rows.entries()) {
      this.#awaited.add(members[index] ?? '');
      const text = texts[index];
      const isDue = record.deadlineMs <= (Number(seconds) + 1) * 1_000;
      const isThere = text === formatRecord(record) || (text === null && isDue);
      const isIndexed = scores[index] !== null && Number(scores[index]) === record.deadlineMs;
      if (!isIndexed || !isThere) this.#suspect(id);
    }
  }

  async #scanIndex(): Promise<void> {
    const key = dueKey(this.#lane);
    const total = await this.#books.ask('index', this.#redis.zcard(key));
    let cursor = '0';
    let done = 0;
    do {
      const scanning = this.#redis.zscan(key, cursor, 'COUNT', PAGE);
      const [next, flat] = await this.#books.ask('index', scanning);
      cursor = next;
      for (let at = 0; at < flat.length; at += 2) {
        const member = flat[at] ?? '';
        const [id = '', , , items = ''] = member.split('|');
        if (this.#awaited.delete(member)) continue;
        if (items === '' || this.#books.concerns(parseItems(items))) this.#suspect(id, member);
      }
      done += flat.length / 2;
      await this.#books.step('index', done, total);
    } while (cursor !== '0');
  }

  // A record that is alive and not in the index would never end.
  async #scanRecords(): Promise<void> {
    const pattern = laneKeysPattern(this.#lane).replace('*', 'res:*');
    const total = await this.#books.ask('records', this.#redis.dbsize());
    let cursor = '0';
    let done = 0;
    do {
      const scanning = this.#redis.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE);
      const [next, keys] = await this.#books.ask('records', scanning);
      cursor = next;
      if (keys.length > 0) await this.#lookAtRecords(keys);
      done += PAGE;
      await this.#books.step('records', Math.min(done, total), total);
    } while (cursor !== '0');
  }

  async #lookAtRecords(keys: readonly string[]): Promise<void> {
    const texts = await this.#books.ask('records', this.#redis.mget([...keys]));
    const alive = keys.flatMap((key, index) => {
      const text = texts[index];
      if (!text) return [];
      const record = parseRecord(text);
      const id = key.slice(key.lastIndexOf(':') + 1);
      const isMeant = isLive(record.state) && this.#books.concerns(record.items);
      return isMeant ? [{ id, member: formatDueMember(id, record) }] : [];
    });
    if (alive.length === 0) return;
    const members = alive.map(({ member }) => member);
    const asking = this.#redis.zmscore(dueKey(this.#lane), ...members);
    const scores = await this.#books.ask('index', asking);
    for (const [index, { id }] of alive.entries()) if (scores[index] === null) this.#suspect(id);
  }
}

/** Rows of live reservations against the index of deadlines and the records, and the other way. */
export async function reconcileLive(books: Books, lane: number): Promise<void> {
  const suspects = await new LivePass(books, lane).run();
  await examineSuspects(books, lane, suspects);
}
