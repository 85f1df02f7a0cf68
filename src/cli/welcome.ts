import { resolve } from 'node:path';
import type { Config, Role } from '../config.ts';
import type { ServerUrls } from './connect.ts';

const JSON_HEADER = "-H 'content-type: application/json'";

// The four calls from product to paid order. Each prints its answer and remembers the id in it.
function tour(url: string, productId: number): string[] {
  const keep = (prefix: string) =>
    `| tee /dev/stderr | grep -o '${prefix}_[0-9a-z]\\{26\\}' | head -1`;
  const hold = `{"product_id":${productId},"qty":1}`;
  const event =
    '"{\\"order_id\\":\\"$ORDER\\",\\"reference\\":\\"pay-$ORDER\\",\\"status\\":\\"success\\"}"';
  return [
    `curl -s ${url}/api/products/${productId}`,
    `HOLD=$(curl -s ${url}/api/holds ${JSON_HEADER} -d '${hold}' ${keep('hold')})`,
    `ORDER=$(curl -s ${url}/api/orders ${JSON_HEADER} -d "{\\"hold_id\\":\\"$HOLD\\"}" ${keep('order')})`,
    `curl -s ${url}/api/payments/webhook ${JSON_HEADER} -d ${event}`,
  ];
}

/** What a newcomer reads when everything is up. */
export function welcome(
  url: string,
  productId: number | undefined,
  config: Config,
  { mysqlUrl }: ServerUrls,
): string {
  const lines = ['', `Holdfast is ready at ${url}  (OpenAPI: ${url}/openapi.json)`, ''];
  if (productId === undefined) {
    lines.push('There is no product yet: holdfast product create --help', '');
  } else {
    lines.push('Buy something, line by line:', '', ...tour(url, productId), '');
  }
  if (!config.redisUrl) {
    const { hostname, port, username, password, pathname } = new URL(mysqlUrl);
    const client = `mysql -h ${hostname} -P ${port} -u ${username} -p${password} ${pathname.slice(1)}`;
    lines.push(`See the rows:  ${client}`, `The data stays in ${resolve(config.dataDir)}`);
  }
  if (config.adminToken === undefined) {
    lines.push('The admin API is off; switch it on with ADMIN_TOKEN=...');
  }
  return `${lines.join('\n')}\nStop with Ctrl-C.\n`;
}

/** What a process without the role api says when everything is up. */
export function rolesReady(url: string, roles: readonly Role[]): string {
  const runs = `${roles.join(', ')}; only /healthz and /readyz`;
  return `Holdfast is ready at ${url}  (${runs})\nStop with Ctrl-C.\n`;
}
