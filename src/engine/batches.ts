import { Deadline, within } from '../domain/deadline.ts';
import { Unavailable } from '../domain/unavailable.ts';
import type { Gate, Refused } from '../redis/bindings/common.ts';
import { ANSWER_LIMIT_MS, redisFailure } from '../redis/client.ts';
import type { EngineParts } from './parts.ts';

/** Unless the parts say otherwise. */
const BATCH_MAX = 128;
/** Pause before asking again. */
const AGAIN_MS = 5;
/** Requests of one batch whose deadlines are no further apart than this share a timer. */
const SAME_MS = 50;

/** What ends a request. */
export type Final<Reply> = Exclude<Reply, { status: 'again' | 'late' }>;

/** One request to a script that takes many. */
export interface Waiting<Command, Reply> {
  /** `lateMs` is filled in when it is sent. */
  command: Command & { lateMs: number };
  deadline: Deadline;
  /** Told the name of each call that carries the request, before it is sent. */
  follow?: (call: string) => void;
  answer: (reply: Final<Reply>, nowMs: number) => void;
  fail: (error: Unavailable) => void;
}

type Sent<Reply> = { status: 'batch'; nowMs: number; replies: Reply[] } | Exclude<Refused, 'late'>;

interface Options<Command, Reply> {
  /** Names the script to people. */
  what: string;
  /** Whether somebody waits until MySQL has it. */
  isAwaited: boolean;
  send: (
    lane: number,
    gate: Gate,
    requests: (Command & { lateMs: number })[],
  ) => Promise<Sent<Reply>>;
}

/**
 * Requests for a lane that arrive in the same turn of the event loop share one script call; each gets
 * an answer of its own. One that came `late` by a clock that ran behind, or is to ask `again`, is sent
 * once more while its time lasts.
 */
export class Batches<Command, Reply extends { status: string }> {
  readonly #parts: EngineParts;
  readonly #options: Options<Command, Reply>;
  readonly #max: number;
  readonly #queues = new Map<number, Waiting<Command, Reply>[]>();

  constructor(parts: EngineParts, options: Options<Command, Reply>) {
    this.#parts = parts;
    this.#options = options;
    this.#max = parts.batchMax ?? BATCH_MAX;
  }

  add(lane: number, waiting: Waiting<Command, Reply>): void {
    const queue = this.#queues.get(lane) ?? [];
    if (queue.length === 0) {
      this.#queues.set(lane, queue);
      setImmediate(() => this.#flush(lane));
    }
    queue.push(waiting);
    if (queue.length >= this.#max) this.#flush(lane);
  }

  #flush(lane: number): void {
    const batch = this.#queues.get(lane);
    if (!batch) return;
    this.#queues.delete(lane);
    this.#send(lane, batch).catch((error) => {
      // The outcome is unknown: every caller of the batch is told so, and nothing is sent again.
      const failure = redisFailure(error, this.#options.what);
      for (const { fail } of batch) fail(failure);
    });
  }

  async #send(lane: number, batch: Waiting<Command, Reply>[]): Promise<void> {
    const { link, ring } = this.#parts;
    const { what, isAwaited, send } = this.#options;
    const gate = link.gate(lane);
    // What is not answered in time must not run afterwards.
    const limits = batch.map(({ deadline }) => Math.min(deadline.remainingMs(), ANSWER_LIMIT_MS));
    const latestMs = Math.max(...limits);
    const requests = batch.map(({ command, follow, fail }, index) => {
      const limitMs = limits[index] ?? 0;
      if (limitMs <= latestMs - SAME_MS) setTimeout(() => fail(this.#noTime()), limitMs).unref();
      follow?.(gate.call);
      command.lateMs = link.lateAfter(limitMs);
      return command;
    });
    const sending = send(lane, gate, requests);
    const reply = await within(new Deadline(latestMs), `Redis (${what})`, sending);
    link.observe(reply.nowMs);
    if (reply.status !== 'batch') throw link.refused(lane, reply.status);
    ring(lane, isAwaited);
    for (const [index, waiting] of batch.entries()) {
      const answer = reply.replies[index];
      if (answer) this.#answer(lane, waiting, answer, reply.nowMs);
    }
  }

  #answer(lane: number, waiting: Waiting<Command, Reply>, reply: Reply, nowMs: number): void {
    if (reply.status !== 'again' && reply.status !== 'late') {
      waiting.answer(reply as Final<Reply>, nowMs);
    } else if (waiting.deadline.remainingMs() <= AGAIN_MS) {
      waiting.fail(this.#noTime());
    } else {
      // Late by a clock that ran behind, which this reply has set right; or units are coming back.
      setTimeout(() => this.add(lane, waiting), AGAIN_MS);
    }
  }

  #noTime = (): Unavailable => new Unavailable(`${this.#options.what}: no time left`);
}
