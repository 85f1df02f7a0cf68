import type { Deadline } from '../domain/deadline.ts';
import type { Acks, CommittedBy, Waiter } from '../writer/acks.ts';

/** The commit that a caller waits for: of the last script call it sent. */
export class Commit {
  readonly #acks: Acks;
  #waiter: Waiter | undefined;

  constructor(acks: Acks) {
    this.#acks = acks;
  }

  /** Must be told each call before its script is sent, or the commit could be missed. */
  follow(call: string): void {
    this.#waiter?.cancel();
    this.#waiter = this.#acks.register(call);
  }

  /** See `Waiter.committed`. */
  async committed(deadline: Deadline, decided: () => Promise<boolean>): Promise<CommittedBy> {
    if (!this.#waiter) throw new Error('no call was followed');
    return this.#waiter.committed(deadline, decided);
  }

  cancel(): void {
    this.#waiter?.cancel();
  }
}

/** Runs work that waits for a commit, and forgets the call afterwards, whatever happens. */
export async function withCommit<T>(acks: Acks, work: (commit: Commit) => Promise<T>): Promise<T> {
  const commit = new Commit(acks);
  try {
    return await work(commit);
  } finally {
    commit.cancel();
  }
}
