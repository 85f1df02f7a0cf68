/** What was asked for cannot be meant: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The value of --lane. Throws `UsageError` where there is no such lane. */
export function parseLane(text: string, count: number): number {
  const lane = Number(text);
  if (/^\d+$/.test(text) && lane < count) return lane;
  const expected = count === 1 ? '0' : `a whole number from 0 to ${count - 1}`;
  throw new UsageError(`--lane must be ${expected}: LANES is ${count}`);
}
