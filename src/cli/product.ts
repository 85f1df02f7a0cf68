import { Command, Option } from 'commander';
import { Deadline } from '../domain/deadline.ts';
import type { Product } from '../domain/product.ts';
import { adminProductJson } from '../http/product-answer.ts';
import { newProductRequest, stockRequest } from '../http/product-request.ts';
import { readCommandConfig, withHoldfast } from './connect.ts';
import { printFields, printJson, printTable } from './output.ts';
import { parseLane, UsageError } from './usage.ts';

const LIMIT_MS = 10_000;

type Json = { json?: boolean };

/** The part of a zod result that this file reads. */
type Parsed<T> =
  | { success: true; data: T }
  | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } };

// The same checks as over HTTP; a field `max_per_hold` is the option `--max-per-hold`, and `delta` is
// an argument.
function checked<T>(parsed: Parsed<T>): T {
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => {
    const field = String(path[0] ?? '');
    const option = field === 'total_stock' ? 'stock' : field.replaceAll('_', '-');
    return field === 'delta' ? `<delta> ${message}` : `--${option} ${message}`;
  });
  throw new UsageError(lines.join('\n'));
}

function parseId(text: string): number {
  const id = Number(text);
  if (!Number.isSafeInteger(id) || id < 1) {
    throw new UsageError(`"${text}" is no product id: expected a whole number, see product list`);
  }
  return id;
}

const noSuchProduct = (id: number) => new Error(`there is no product ${id}; see product list`);

function print(product: Product, nowMs: number, json: boolean | undefined): void {
  const shown = adminProductJson(product, nowMs);
  if (json) printJson(shown);
  else printFields(fieldsOf(shown));
}

function fieldsOf(shown: ReturnType<typeof adminProductJson>): Record<string, string | number> {
  return {
    id: shown.id,
    name: shown.name,
    price: `${shown.price} ${shown.currency}`,
    status: shown.status,
    'total stock': shown.total_stock,
    available: shown.available_stock,
    held: shown.held,
    pending: shown.pending,
    sold: shown.sold,
    'sale starts': shown.starts_at ?? 'any time',
    'sale ends': shown.ends_at ?? 'never',
    'most per hold': shown.max_per_hold ?? 'no limit',
    'most per buyer': shown.max_per_buyer ?? 'no limit',
    'a hold lasts': `${shown.hold_ttl_seconds} s`,
    'can be extended by':
      shown.extend_seconds === 0 ? 'not at all' : `${shown.extend_seconds} s, once`,
    'an order awaits payment': `${shown.pay_ttl_seconds} s`,
    lane: shown.lane,
  };
}

// Fits into 80 columns: what is longer is in `product show`.
const NAME_MAX = 18;

function printProducts(products: Product[], nowMs: number): void {
  const head = ['id', 'name', 'price', 'status', 'available', 'held', 'pending', 'sold'];
  const rows = products.map((product) => {
    const { price, currency, status } = adminProductJson(product, nowMs);
    const { id, name, available, held, pending, sold } = product;
    const short = name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
    return [id, short, `${price} ${currency}`, status, available, held, pending, sold];
  });
  printTable(head, rows);
}

const jsonOption = () => new Option('--json', 'print JSON for machines');

interface CreateOptions extends Json {
  name: string;
  price: string;
  currency: string;
  stock: string;
  maxPerHold?: string;
  maxPerBuyer?: string;
  startsAt?: string;
  endsAt?: string;
  holdTtlSeconds?: string;
  payTtlSeconds?: string;
  extendSeconds?: string;
  lane?: string;
}

const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));

async function create({ json, ...options }: CreateOptions): Promise<void> {
  const config = await readCommandConfig();
  const request = {
    name: options.name,
    price: options.price,
    currency: options.currency,
    total_stock: number(options.stock),
    starts_at: options.startsAt,
    ends_at: options.endsAt,
    max_per_hold: number(options.maxPerHold),
    max_per_buyer: number(options.maxPerBuyer),
    hold_ttl_seconds: number(options.holdTtlSeconds),
    pay_ttl_seconds: number(options.payTtlSeconds),
    extend_seconds: number(options.extendSeconds),
    lane: options.lane === undefined ? undefined : parseLane(options.lane, config.lanes),
  };
  const product = checked(newProductRequest(config.lanes).safeParse(request));
  await withHoldfast(config, async ({ engine }) => {
    const made = await engine.admin.create(product, new Deadline(LIMIT_MS));
    print(made, engine.nowMs(), json);
  });
}

async function list({ json }: Json): Promise<void> {
  await withHoldfast(await readCommandConfig(), async ({ engine }) => {
    const products = await engine.listProducts(new Deadline(LIMIT_MS));
    const nowMs = engine.nowMs();
    if (json) printJson({ products: products.map((product) => adminProductJson(product, nowMs)) });
    else if (products.length > 0) printProducts(products, nowMs);
    else process.stdout.write('There is no product yet: npx holdfast product create --help\n');
  });
}

async function show(text: string, { json }: Json): Promise<void> {
  const id = parseId(text);
  await withHoldfast(await readCommandConfig(), async ({ engine }) => {
    const product = await engine.readProduct(id, new Deadline(LIMIT_MS));
    if (!product) throw noSuchProduct(id);
    print(product, engine.nowMs(), json);
  });
}

async function restock(
  text: string,
  delta: string,
  { key, json }: Json & { key?: string },
): Promise<void> {
  const id = parseId(text);
  const request = { delta: Number(delta), key: key ?? `cli-${Date.now()}-${process.pid}` };
  const adjustment = checked(stockRequest.safeParse(request));
  await withHoldfast(await readCommandConfig(), async ({ engine }) => {
    const deadline = new Deadline(LIMIT_MS);
    const outcome = await engine.admin.adjustStock(id, adjustment.delta, adjustment.key, deadline);
    switch (outcome.status) {
      case 'product_not_found':
        throw noSuchProduct(id);
      case 'adjustment_mismatch':
        throw new Error(`--key ${adjustment.key} was used with another delta before`);
      case 'insufficient_available':
        throw new Error(
          `units available to take away: ${outcome.available}; the others are held, pending or sold`,
        );
      case 'adjusted':
        print(outcome.product, engine.nowMs(), json);
    }
  });
}

async function setStatus(text: string, status: 'active' | 'paused', { json }: Json) {
  const id = parseId(text);
  await withHoldfast(await readCommandConfig(), async ({ engine }) => {
    const product = await engine.admin.change(id, { status }, new Deadline(LIMIT_MS));
    if (!product) throw noSuchProduct(id);
    print(product, engine.nowMs(), json);
  });
}

function createCommand(): Command {
  return new Command('create')
    .description('make a product; it is sellable at once')
    .requiredOption('--name <text>', 'what buyers see')
    .requiredOption('--price <amount>', 'of one unit, such as 129.00')
    .requiredOption('--stock <units>', 'how many there are')
    .option('--currency <code>', 'ISO 4217', 'USD')
    .option('--max-per-hold <units>', 'largest quantity in one hold')
    .option('--max-per-buyer <units>', 'held, awaiting payment and bought, taken together')
    .option('--starts-at <time>', 'ISO 8601, such as 2026-11-27T12:00:00Z')
    .option('--ends-at <time>', 'ISO 8601')
    .option('--hold-ttl-seconds <seconds>', 'how long a hold lasts; default HOLD_TTL_SECONDS')
    .option('--pay-ttl-seconds <seconds>', 'how long an order awaits payment; PAY_TTL_SECONDS')
    .option('--extend-seconds <seconds>', 'by how much a hold can be extended, once; default 0')
    .option('--lane <number>', 'chosen by the id when left out')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  $ holdfast product create --name "Aurora lamp" --price 129.00 --stock 500',
    )
    .action(create);
}

/** `holdfast product ...`: what is sold. */
export function productCommand(): Command {
  const restockHelp =
    '\nExamples:\n  $ holdfast product restock 1 50\n  $ holdfast product restock 1 -20\n' +
    '  $ holdfast product restock 1 50 --key delivery-4711   # a repeat has no effect';
  return new Command('product')
    .description('make, see and steer what is sold')
    .addCommand(createCommand())
    .addCommand(
      new Command('list').description('all products').addOption(jsonOption()).action(list),
    )
    .addCommand(
      new Command('show')
        .description('one product')
        .argument('<id>')
        .addOption(jsonOption())
        .action(show),
    )
    .addCommand(
      new Command('restock')
        .description('add units, or take available ones away with a negative number')
        .argument('<id>')
        .argument('<delta>')
        .option('--key <text>', 'names the adjustment; the same key has one effect')
        .addOption(jsonOption())
        .addHelpText('after', restockHelp)
        .action(restock),
    )
    .addCommand(
      new Command('pause')
        .description('grant no more holds; holds and orders there are go on')
        .argument('<id>')
        .addOption(jsonOption())
        .action((id: string, options: Json) => setStatus(id, 'paused', options)),
    )
    .addCommand(
      new Command('resume')
        .description('sell again after a pause')
        .argument('<id>')
        .addOption(jsonOption())
        .action((id: string, options: Json) => setStatus(id, 'active', options)),
    );
}
