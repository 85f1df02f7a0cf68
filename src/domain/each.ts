/**
 * Does the work for every item, one after the other. An item that fails does not keep the others
 * from their turn; afterwards the first failure is thrown.
 */
export async function eachOf<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) await work(item).catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
