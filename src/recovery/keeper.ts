import { Unavailable } from '../domain/unavailable.ts';
import type { Logger } from '../log.ts';
import { LaneBusy, RebuildPaused, WrongDatabase } from './errors.ts';
import type { Examined } from './examine.ts';
import type { Lanes } from './lanes.ts';

const CHECK_EVERY_MS = 1_000;
/** For this long another process may be at work on a lane without anybody being told. */
const BUSY_MS = 15_000;

/** Opens lanes at the start, and looks after them from then on. */
export interface LaneKeeper {
  /**
   * Opens what may be opened, and looks again once a second from then on. Throws `WrongDatabase` or
   * `TooFewLanes`.
   */
  start: () => Promise<void>;
  close: () => Promise<void>;
}

/**
 * Looks after the lanes once a second. One that people must decide about stays closed, and the log
 * says why, once for each reason.
 */
export function keepLanes(lanes: Lanes, log: Logger): LaneKeeper {
  const complaints = new Map<number | 'all', string>();
  const busySince = new Map<number, number>();
  let isStart = true;

  // Once for each reason.
  const complain = (lane: number | 'all', error: Error) => {
    const reason = error.message;
    if (complaints.get(lane) === reason) return;
    complaints.set(lane, reason);
    // A lane that is open stays so while MySQL is away: holds do not need it.
    if (error instanceof Unavailable) log.warn({ lane, reason }, 'lane cannot be looked at');
    else log.error({ lane, reason }, 'lane stays closed; buyers are answered 503');
  };

  const isBusyForLong = (lane: number): boolean => {
    const since = busySince.get(lane) ?? performance.now();
    busySince.set(lane, since);
    return performance.now() - since > BUSY_MS;
  };

  const keep = async (examined: Examined) => {
    const { lane } = examined;
    try {
      await lanes.keep(examined, isStart);
      // OUTBOX_MAX may have another value since the last start.
      if (isStart) await lanes.setBound(lane);
      busySince.delete(lane);
      if (complaints.delete(lane)) log.info({ lane }, 'lane is looked after again');
    } catch (error) {
      if (error instanceof WrongDatabase && isStart) throw error;
      if (error instanceof RebuildPaused) return;
      if (error instanceof LaneBusy && !isBusyForLong(lane)) return;
      complain(lane, error as Error);
    }
  };

  const check = async () => {
    if (isStart) await lanes.refuseTooFew();
    for (const examined of await lanes.examine()) await keep(examined);
    isStart = false;
    complaints.delete('all');
  };

  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let checking: Promise<void> = Promise.resolve();
  const checkAgain = () => {
    timer = setTimeout(() => {
      checking = check()
        .catch((error) => complain('all', error))
        .finally(() => {
          if (!closed) checkAgain();
        });
    }, CHECK_EVERY_MS);
  };

  return {
    start: async () => {
      await check();
      checkAgain();
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await checking;
    },
  };
}
