import { SOLD_OUT_PRODUCT } from './settings.ts';

// What the APIs without a store answer: as long as Holdfast's own answers.

const item = { product_id: 1, qty: 1 };

export const HOLD = {
  hold_id: 'hold_01jzc0000000000000000000000',
  status: 'held' as const,
  ...item,
  items: [item],
  amount: '129.00',
  currency: 'USD',
  expires_at: '2026-07-01T12:00:00.000Z',
};

export const HOLD_HEADERS = { Location: `/api/holds/${HOLD.hold_id}` };

export const SOLD_OUT = {
  type: '/problems/sold_out',
  title: 'Sold out',
  status: 409,
  code: 'sold_out',
  detail: `Product ${SOLD_OUT_PRODUCT} has 0 units available.`,
  instance: '/api/holds',
  product_id: SOLD_OUT_PRODUCT,
  available: 0,
  retry_after_ms: 1_000,
};

export const SOLD_OUT_HEADERS = { 'Content-Type': 'application/problem+json', 'Retry-After': '1' };

export const PRODUCT = {
  id: 1,
  name: 'Aurora desk lamp',
  price: '129.00',
  currency: 'USD',
  total_stock: 1_000_000,
  available_stock: 1_000_000,
  held: 0,
  pending: 0,
  sold: 0,
  status: 'active' as const,
  starts_at: null,
  ends_at: null,
  max_per_hold: null,
  max_per_buyer: null,
  extend_seconds: 0,
};
