/**
 * The outcome is unknown, or nothing was done: the caller may try again. Answered as 503 with
 * `Retry-After`, never as a refusal.
 */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  readonly code: 'unavailable' | 'overloaded';

  constructor(reason: string, code: 'unavailable' | 'overloaded' = 'unavailable') {
    super(reason);
    this.code = code;
  }
}
