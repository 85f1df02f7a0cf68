import { query } from '../db/client.ts';
import { readNewestRun } from '../db/reconciliations.ts';
import { countReceipts } from '../db/reports.ts';
import { readWatermark, readWatermarks } from '../db/watermarks.ts';
import type { Deadline } from '../domain/deadline.ts';
import type { LaneOverview, Overview } from '../domain/outcomes.ts';
import { askRedis } from '../redis/client.ts';
import { dueKey, laneKey, outboxKey } from '../redis/keys.ts';
import type { EngineParts } from './parts.ts';
import type { Products } from './products.ts';

async function readLane(
  { link, database, lag }: EngineParts,
  lane: number,
  deadline: Deadline,
): Promise<LaneOverview> {
  const watermark = await query(deadline, 'watermark', readWatermark(database, lane));
  const reading = Promise.all([
    link.redis.hmget(laneKey(lane), 'state', 'epoch', 'position', 'emitted', 'persisted'),
    link.redis.xlen(outboxKey(lane)),
    link.redis.zcard(dueKey(lane)),
  ]);
  const [[state, epoch, position, emitted, persisted], outboxLength, liveReservations] =
    await askRedis(deadline, 'overview', reading);
  const hasEntries = watermark !== undefined && watermark.sequence >= 0;
  return {
    lane,
    state: state ?? 'cold',
    epoch: Number(epoch ?? 0),
    position: position ?? '',
    watermark: hasEntries ? `${watermark.epoch}-${watermark.sequence}` : '',
    outboxLength,
    backlog: Number(emitted ?? 0) - Number(persisted ?? 0),
    lagMs: Math.round(lag.ofLane(lane)),
    liveReservations,
  };
}

type Books = Pick<Overview, 'deadLetters' | 'drifts' | 'reconciliation'>;

/** How well the books agree, as far as MySQL knows. */
async function readBooks({ database }: EngineParts, deadline: Deadline): Promise<Books> {
  const [marks, run] = await Promise.all([
    query(deadline, 'watermarks', readWatermarks(database)),
    query(deadline, 'last reconciliation', readNewestRun(database)),
  ]);
  const lanes = [...marks.values()];
  return {
    deadLetters: lanes.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
    drifts: lanes.reduce((sum, { drifts }) => sum + drifts, 0),
    reconciliation: run?.finishedAt
      ? {
          id: run.id,
          finishedAtMs: run.finishedAt.getTime(),
          drift: run.drift ?? 0,
          found: run.found ?? 0,
          repaired: run.repaired ?? 0,
        }
      : null,
  };
}

/** What ops look at first: every product, every lane, and the work that waits for people. */
export async function readOverview(
  parts: EngineParts,
  products: Products,
  deadline: Deadline,
): Promise<Overview> {
  const lanes = Array.from({ length: parts.lanes }, (_, lane) => readLane(parts, lane, deadline));
  // All at once: whichever fails first, none may fail unheard afterwards.
  const [receipts, books, list, found] = await Promise.all([
    query(deadline, 'receipts', countReceipts(parts.database)),
    readBooks(parts, deadline),
    products.list(deadline, true),
    Promise.all(lanes),
  ]);
  return {
    products: list,
    lanes: found,
    refundsDue: receipts.refundsDue,
    openReceipts: receipts.open,
    ...books,
  };
}
