import fc from 'fast-check';
import { expect } from 'vitest';
import { laneOf } from '../../../src/domain/ids.ts';
import { makeProduct, seconds, type TestEngine } from '../../support/engine.ts';
import { redisNowMs, redisTimeAfter } from '../../support/redis.ts';
import { eventually } from '../../support/wait.ts';
import { type Action, type Past, requestOf } from './actions.ts';
import { type Asked, ask } from './ask.ts';
import { Ledger } from './ledger.ts';
import type { Request } from './requests.ts';
import { booksAfter } from './rules.ts';

const LONG_MS = 3_600_000;
/** Long enough to act on a hold before its end, short enough to wait for it. */
const SHORT_MS = 150;
/** How far the engine's idea of Redis time may be behind, which it uses for reading alone. */
const CLOCK_LAG_MS = 50;

export interface Model {
  ledger: Ledger;
}

let runCount = 0;

/** Products of one run: plain, limited with little time to pay, held shortly, in euros, in lane 1. */
async function makeArticles(t: TestEngine): Promise<Ledger> {
  const long = { extendMs: LONG_MS, holdTtlMs: LONG_MS, payTtlMs: LONG_MS, lane: 0 };
  const made = await Promise.all([
    makeProduct(t, { ...long, totalStock: 4 }),
    makeProduct(t, { ...long, payTtlMs: SHORT_MS, totalStock: 3, maxPerBuyer: 3, maxPerHold: 2 }),
    makeProduct(t, {
      ...long,
      holdTtlMs: SHORT_MS,
      extendMs: SHORT_MS,
      payTtlMs: SHORT_MS,
      totalStock: 2,
      priceMinor: 500,
    }),
    makeProduct(t, { ...long, extendMs: 0, currency: 'EUR', totalStock: 3 }),
    makeProduct(t, { ...long, lane: 1, totalStock: 2 }),
  ]);
  const ledger = new Ledger();
  for (const product of made)
    ledger.articles.set(product.id, { ...product, unitsByBuyer: new Map() });
  return ledger;
}

/** Holdfast on one side and the books on the other; every step is compared. */
export class World {
  readonly #t: TestEngine;
  readonly #past: Past;
  /** Whether the engine itself must bring overdue units back. */
  readonly #isExpiryOn: boolean;

  constructor(t: TestEngine, past: Past, isExpiryOn: boolean) {
    this.#t = t;
    this.#past = past;
    this.#isExpiryOn = isExpiryOn;
  }

  async perform(model: Model, action: Action): Promise<void> {
    const request = requestOf(action, model.ledger, this.#past);
    if (request) {
      this.#past.requests.push(request);
      await this.#request(model, request);
    } else await this.#waitForNextDeadline(model);
    await this.#compare(model);
  }

  async #request(model: Model, request: Request): Promise<void> {
    const beforeMs = await redisNowMs(this.#t.redis);
    model.ledger.runOut(beforeMs);
    const engineNowMs = this.#t.engine.nowMs();
    const asked = await ask(this.#t, request);
    const afterMs = await redisNowMs(this.#t.redis);
    const { answer, told } = this.#inTheBooksWords(model.ledger, request, asked, engineNowMs);
    const lane = 'id' in request ? laneOf(request.id) : 0;
    const after = booksAfter(model.ledger, request, lane, answer, told, afterMs);
    if ('expected' in after) {
      const all = after.expected.length > 1 ? ` or ${JSON.stringify(after.expected.slice(1))}` : '';
      expect(answer, `${JSON.stringify(request)}${all}`).toEqual(after.expected[0]);
    } else {
      if (told) this.#expectDeadline(after.ledger, request, told.id, beforeMs, afterMs);
      model.ledger = after.ledger;
    }
  }

  // Says of a hold or an order whether it is the first answer again, and lets reads be late: they
  // compare with a clock that may be behind, or show what the writer has not got yet.
  #inTheBooksWords(
    ledger: Ledger,
    request: Request,
    { answer, told }: Asked,
    nowMs: number,
  ): Asked {
    const known = told && ledger.reservations.get(told.id);
    if (known && request.do === 'hold') {
      const again = { id: told.id, expiresAtMs: told.deadlineMs };
      return { answer: { ...answer, again } };
    }
    if (told && known?.ordered && request.do === 'order') {
      return { answer: { ...answer, again: { payByMs: told.deadlineMs } } };
    }
    if (request.do !== 'read_hold' && request.do !== 'read_order')
      return { answer, ...(told && { told }) };
    const reservation = ledger.reservations.get(request.id);
    if (reservation?.state !== 'expired') return { answer };
    const couldSeem =
      request.do === 'read_hold'
        ? answer.status === 'held' && nowMs - CLOCK_LAG_MS <= reservation.heldUntilMs
        : answer.status === 'pending';
    return { answer: couldSeem ? { ...answer, status: 'expired' } : answer };
  }

  #expectDeadline(
    ledger: Ledger,
    { do: what }: Request,
    id: string,
    before: number,
    after: number,
  ) {
    const reservation = ledger.reservations.get(id);
    if (!reservation) throw new Error(`the books have no ${id}`);
    const articles = reservation.lines.map(({ productId }) => ledger.article(productId));
    const isHold = what === 'hold';
    const ttlMs = Math.min(...articles.map((it) => (isHold ? it.holdTtlMs : it.payTtlMs)));
    const deadlineMs = isHold ? reservation.heldUntilMs : reservation.payByMs;
    expect(deadlineMs).toBeGreaterThanOrEqual(before + ttlMs);
    expect(deadlineMs).toBeLessThanOrEqual(after + ttlMs);
  }

  async #waitForNextDeadline(model: Model): Promise<void> {
    const soonMs = (await redisNowMs(this.#t.redis)) + LONG_MS / 2;
    const next = model.ledger.deadlinesUntil(soonMs)[0];
    if (next === undefined) return;
    await redisTimeAfter(this.#t.redis, next);
    model.ledger.runOut(await redisNowMs(this.#t.redis));
    if (this.#isExpiryOn) await eventually(() => this.#compare(model, 'exactly'));
  }

  /** Compares what every product says. Without expiry, overdue units may stand where they stood. */
  async #compare(model: Model, how: 'exactly' | 'in time' = 'in time'): Promise<void> {
    const { productIds } = this.#past;
    const read = Promise.all(productIds.map((id) => this.#t.engine.readProduct(id, seconds(5))));
    const products = await read;
    const ledger = model.ledger.copy();
    ledger.runOut(await redisNowMs(this.#t.redis));
    for (const [at, product] of products.entries()) {
      const { unitsByBuyer: _, ...article } = ledger.article(productIds[at] ?? 0);
      if (!product) throw new Error(`product ${article.id} is not there`);
      const late = ledger.overdueUnits(article.id);
      const held = product.held - article.held;
      const pending = product.pending - article.pending;
      if (how === 'in time' && held >= 0 && held <= late.held) {
        Object.assign(article, { held: article.held + held, available: article.available - held });
      }
      if (how === 'in time' && pending >= 0 && pending <= late.pending) {
        article.pending += pending;
        article.available -= pending;
      }
      expect(product).toMatchObject(article);
    }
  }

  /** Returns once nothing runs out any more, and every overdue unit is back. */
  async settled(model: Model): Promise<void> {
    const { redis } = this.#t;
    const soonMs = (await redisNowMs(redis)) + LONG_MS / 2;
    const last = model.ledger.deadlinesUntil(soonMs).at(-1);
    if (last !== undefined) await redisTimeAfter(redis, last);
    model.ledger.runOut(await redisNowMs(redis));
    await eventually(() => this.#compare(model, 'exactly'));
  }
}

/** One action as a command of fast-check. */
class Step implements fc.AsyncCommand<Model, World> {
  readonly #action: Action;

  constructor(action: Action) {
    this.#action = action;
  }

  check = () => true;
  run = (model: Model, world: World) => world.perform(model, this.#action);
  toString = () => JSON.stringify(this.#action);
}

export const steps = (actions: fc.Arbitrary<Action>, maxCommands: number) =>
  fc.commands([actions.map((action) => new Step(action))], { maxCommands, size: 'max' });

/** Fresh products, and words that no other run uses. */
export async function newWorld(t: TestEngine, isExpiryOn: boolean) {
  const ledger = await makeArticles(t);
  runCount += 1;
  const prefix = `run-${runCount}`;
  const past: Past = { productIds: [...ledger.articles.keys()], prefix, requests: [] };
  return { model: { ledger }, world: new World(t, past, isExpiryOn), prefix };
}
