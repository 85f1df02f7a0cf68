import type { Database } from '../db/client.ts';
import type { LaneLink } from '../redis/link.ts';
import type { Memory } from '../redis/memory.ts';
import type { Acks } from '../writer/acks.ts';
import type { Lag } from '../writer/lag.ts';

/** What the engine is made of; compose.ts builds it. */
export interface EngineParts {
  link: LaneLink;
  database: Database;
  acks: Acks;
  lag: Lag;
  memory: Memory;
  /** Tells the writer that a lane has new entries; see `Doorbell`. */
  ring: (lane: number, isAwaited?: boolean) => void;
  lanes: number;
  holdTtlMs: number;
  payTtlMs: number;
  idempotencyTtlMs: number;
}
