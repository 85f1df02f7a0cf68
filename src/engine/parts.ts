import type { Database } from '../db/client.ts';
import type { LaneLink } from '../redis/link.ts';
import type { Memory } from '../redis/memory.ts';
import type { Acks } from '../writer/acks.ts';
import type { Doorbell } from '../writer/doorbell.ts';
import type { Lag } from '../writer/lag.ts';

/** What the engine is made of; compose.ts builds it. */
export interface EngineParts {
  link: LaneLink;
  database: Database;
  acks: Acks;
  lag: Lag;
  memory: Memory;
  ring: Doorbell['ring'];
  lanes: number;
  holdTtlMs: number;
  payTtlMs: number;
  idempotencyTtlMs: number;
  /** Most holds, or orders, in one script call. */
  batchMax?: number | undefined;
}
