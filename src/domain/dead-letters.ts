import type { Transition, UnitsByProduct } from './journal.ts';

/** Where a dead letter stood in its lane's journal; spelled `<lane>.<epoch>-<sequence>.<ordinal>`. */
export interface LetterId {
  lane: number;
  epoch: number;
  sequence: number;
  /** Its place among the transitions of its entry. */
  ordinal: number;
}

/** A journalled transition that MySQL did not take, as `dead_letters` keeps it. */
export interface StoredLetter {
  id: LetterId;
  atMs: number;
  kind: Transition['kind'];
  /** Whose later transitions wait behind it; '' for none. */
  reservation: string;
  transition: Transition;
  /** What it did to counters: they have moved, rows have not. */
  units: UnitsByProduct;
  reason: string;
  replayedAtMs: number | null;
}

/** What came of a replay. Only `replayed` has written anything. */
export type ReplayOutcome =
  | {
      status: 'replayed';
      /** In the order of the journal. */
      letters: StoredLetter[];
      /** Ids of holds and orders whose rows were gone, and that the journal proves. */
      madeAgain: string[];
      /** The reservation is live, and a rebuild has left it out of Redis meanwhile. */
      isMissingInRedis: boolean;
    }
  | { status: 'already_replayed' }
  | { status: 'not_found' }
  | { status: 'still_refused'; letter: StoredLetter; reason: string };

/** Dead letters, for people who look after them. */
export interface DeadLetters {
  /** The newest ones, at most `limit`, and how many wait; also replayed ones with `all`. */
  list: (which: {
    all: boolean;
    limit: number;
  }) => Promise<{ letters: StoredLetter[]; open: number }>;
  replay: (id: LetterId) => Promise<ReplayOutcome>;
}

export const formatLetterId = ({ lane, epoch, sequence, ordinal }: LetterId): string =>
  `${lane}.${epoch}-${sequence}.${ordinal}`;

/** The inverse of `formatLetterId`, or undefined when the text is no such id. */
export function parseLetterId(text: string): LetterId | undefined {
  const parts = /^(\d{1,4})\.(\d{1,15})-(\d{1,15})\.(\d{1,6})$/.exec(text)?.slice(1).map(Number);
  if (!parts) return undefined;
  const [lane = 0, epoch = 0, sequence = 0, ordinal = 0] = parts;
  return { lane, epoch, sequence, ordinal };
}
