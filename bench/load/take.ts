import { AuditFailed, type Bench } from '../contenders/contender.ts';
import { type Load, type LoadResult, postRequest } from './generator.ts';

type Most = Pick<Load, 'count'> & Partial<Pick<Load, 'connections' | 'seconds'>>;

/**
 * Takes so many holds of a product, or as many as there is time for; throws `AuditFailed` when one
 * is refused.
 */
export async function takeHolds(
  { generator }: Bench,
  port: number,
  productId: number,
  most: Most,
): Promise<LoadResult> {
  const requests = [postRequest('/api/holds', { product_id: productId, qty: 1 })];
  const result = await generator.run({ port, requests, ...most });
  if (result.statuses[201] === result.answers) return result;
  throw new AuditFailed(`${most.count} holds: ${JSON.stringify(result.statuses)}`);
}
