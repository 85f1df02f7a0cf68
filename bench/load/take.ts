import { AuditFailed, type Bench } from '../contenders/contender.ts';
import { type LoadResult, postRequest } from './generator.ts';

/**
 * Takes so many holds of a product, or as many as there is time for; throws `AuditFailed` when one
 * is refused.
 */
export async function takeHolds(
  { generator }: Bench,
  port: number,
  productId: number,
  {
    connections,
    count,
    seconds = 86_400,
  }: { connections: number; count: number; seconds?: number | undefined },
): Promise<LoadResult> {
  const requests = [postRequest('/api/holds', { product_id: productId, qty: 1 })];
  const load = { port, requests, connections: Math.min(connections, count), count, seconds };
  const result = await generator.run(load);
  if (result.statuses[201] === result.answers) return result;
  throw new AuditFailed(`${count} holds: ${JSON.stringify(result.statuses)}`);
}
