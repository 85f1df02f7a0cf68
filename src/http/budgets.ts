/** How long a request may wait for an answer that Redis alone can give, in milliseconds. */
export const HOLD_BUDGET_MS = 1_500;

/** How long a request may wait for a commit in MySQL, in milliseconds. */
export const COMMIT_BUDGET_MS = 3_000;

/** Largest request body that is read. */
export const BODY_BYTES_MAX = 64 * 1024;
