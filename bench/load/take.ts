import { AuditFailed, type Bench } from '../contenders/contender.ts';
import { type LoadResult, postRequest } from './generator.ts';

/** Takes exactly so many holds of a product; throws `AuditFailed` when one is refused. */
export async function takeHolds(
  { generator }: Bench,
  port: number,
  productId: number,
  { connections, count }: { connections: number; count: number },
): Promise<LoadResult> {
  const requests = [postRequest('/api/holds', { product_id: productId, qty: 1 })];
  const load = { port, requests, connections: Math.min(connections, count), count };
  const result = await generator.run(load);
  if (result.statuses[201] === count) return result;
  throw new AuditFailed(`${count} holds: ${JSON.stringify(result.statuses)}`);
}
