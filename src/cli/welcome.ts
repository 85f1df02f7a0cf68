import { join } from 'node:path';
import type { Config, Role } from '../config.ts';
import { isExecutable } from '../embedded/programs.ts';
import type { ServerUrls } from './connect.ts';

const CURL = "curl -sSw '\\n'";
const JSON_HEADER = "-H 'content-type: application/json'";

// The four calls from product to paid order, or the three up to a payment that must be signed. Each
// prints its answer and remembers the id in it.
function tour(url: string, productId: number, isSigned: boolean): string[] {
  const keep = (prefix: string) =>
    `| tee /dev/stderr | grep -o '${prefix}_[0-9a-z]\\{26\\}' | head -1`;
  const hold = `{"product_id":${productId},"qty":1}`;
  const event =
    '"{\\"order_id\\":\\"$ORDER\\",\\"reference\\":\\"pay-$ORDER\\",\\"status\\":\\"success\\"}"';
  return [
    `${CURL} ${url}/api/products/${productId}`,
    `HOLD=$(${CURL} ${url}/api/holds ${JSON_HEADER} -d '${hold}' ${keep('hold')})`,
    `ORDER=$(${CURL} ${url}/api/orders ${JSON_HEADER} -d "{\\"hold_id\\":\\"$HOLD\\"}" ${keep('order')})`,
    ...(isSigned ? [] : [`${CURL} ${url}/api/payments/webhook ${JSON_HEADER} -d ${event}`]),
  ];
}

// A line to paste where a client is installed; else what any client asks for.
async function rowsHint(mysqlUrl: string): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(mysqlUrl);
  const database = pathname.slice(1);
  for (const client of ['mysql', 'mariadb']) {
    for (const folder of (process.env.PATH ?? '').split(':')) {
      if (!folder.startsWith('/') || !(await isExecutable(join(folder, client)))) continue;
      return `See the rows: ${client} -h ${hostname} -P ${port} -u ${username} -p${password} ${database}`;
    }
  }
  return `The rows are in MySQL: ${hostname}:${port}, user ${username}, password ${password}, database ${database}`;
}

/** What a newcomer reads when everything is up. */
export async function welcome(
  url: string,
  productId: number | undefined,
  config: Config,
  { mysqlUrl }: ServerUrls,
): Promise<string> {
  const lines = ['', `Holdfast is ready at ${url}  (the API: ${url}/docs)`, ''];
  const isSigned = config.webhookSecrets.length + config.stripeSecrets.length > 0;
  if (productId === undefined) {
    lines.push('There is no product yet: npx holdfast product create --help', '');
  } else {
    lines.push(
      'Buy something, line by line, in another terminal:',
      '',
      ...tour(url, productId, isSigned),
      '',
    );
  }
  if (isSigned) lines.push('Payments must be signed: docs/payments.md tells how', '');
  if (!config.redisUrl) lines.push(await rowsHint(mysqlUrl));
  if (config.adminToken === undefined) {
    lines.push('The admin API is off; switch it on with ADMIN_TOKEN=...');
  }
  return `${lines.join('\n')}\nStop with Ctrl-C.\n`;
}

/** What a process without the role api says when everything is up. */
export function rolesReady(url: string, roles: readonly Role[]): string {
  const runs = `${roles.join(', ')}; only /healthz, /readyz and /metrics`;
  return `Holdfast is ready at ${url}  (${runs})\nStop with Ctrl-C.\n`;
}
