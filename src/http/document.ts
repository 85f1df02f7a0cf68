import { VERSION } from '../version.ts';

const TAGS = [
  { name: 'products', description: 'What is on sale, and how many units are left' },
  { name: 'holds', description: 'Units kept for a buyer, for two minutes unless told otherwise' },
  { name: 'orders', description: 'Holds to be paid; an order that is acknowledged is durable' },
  { name: 'payments', description: 'What the payment provider reports' },
  { name: 'admin', description: "For the shop's own people, with the admin token" },
  { name: 'health', description: 'For what watches the process' },
];

/** What the OpenAPI document says beside routes and schemas. */
export const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Holdfast',
    version: VERSION,
    summary: 'Sells scarce stock to a crowd',
    description:
      'Holds on scarce stock, orders made of holds, payments that settle orders. Bodies are JSON, ' +
      'times ISO 8601 in UTC with milliseconds, money a decimal text beside its ISO 4217 ' +
      'currency. Refusals are problem documents (RFC 9457), told apart by `code`. Clients are ' +
      'to ignore fields they do not know.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/', description: 'The process that serves this document' }],
  tags: TAGS,
  // Of calls that say nothing else: anybody may make them.
  security: [],
};

/** How requests prove who sends them. */
export const ADMIN_TOKEN_SCHEME = {
  type: 'http' as const,
  scheme: 'bearer',
  description: 'The value of `ADMIN_TOKEN`. Without one nothing is under `/api/admin`.',
};
