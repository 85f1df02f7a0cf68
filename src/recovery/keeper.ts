import { Unavailable } from '../domain/unavailable.ts';
import type { Logger } from '../log.ts';
import type { Examined } from './examine.ts';
import { type Lanes, RebuildPaused, WrongDatabase } from './lanes.ts';

const CHECK_EVERY_MS = 1_000;

/** Opens lanes at the start, and looks after them from then on. */
export interface LaneKeeper {
  /** Opens what may be opened. Throws only the first time: `WrongDatabase` or `TooFewLanes`. */
  check: () => Promise<void>;
  close: () => Promise<void>;
}

/**
 * Looks after the lanes once a second. One that people must decide about stays closed, and the log
 * says why, once for each reason. `keepsBound`: a command that only looks in leaves the bound of an
 * open lane as it is.
 */
export function keepLanes(lanes: Lanes, keepsBound: boolean, log: Logger): LaneKeeper {
  const complaints = new Map<number | 'all', string>();
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

  const keep = async (examined: Examined) => {
    const { lane } = examined;
    try {
      await lanes.keep(examined, isStart);
      // OUTBOX_MAX may have another value since the last start.
      if (isStart && !keepsBound) await lanes.setBound(lane);
      if (complaints.delete(lane)) log.info({ lane }, 'lane is looked after again');
    } catch (error) {
      if (error instanceof WrongDatabase && isStart) throw error;
      if (!(error instanceof RebuildPaused)) complain(lane, error as Error);
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
  checkAgain();

  return {
    check,
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await checking;
    },
  };
}
