import { query } from '../db/client.ts';
import { type History, readHistory } from '../db/history.ts';
import { listOrders } from '../db/order-list.ts';
import type { Deadline } from '../domain/deadline.ts';
import type { ReservationId } from '../domain/ids.ts';
import type { OrderFilter, OrderPage } from '../domain/order-list.ts';
import type {
  CancelOutcome,
  ExtendOutcome,
  Hold,
  HoldOutcome,
  HoldRequest,
  Order,
  OrderOutcome,
  Overview,
  ReleaseOutcome,
} from '../domain/outcomes.ts';
import type { Product } from '../domain/product.ts';
import { extendHold } from './extend.ts';
import { Holds } from './hold.ts';
import { cancelOrder, makeOrder, orderBatches, readOrder } from './order.ts';
import { readOverview } from './overview.ts';
import type { EngineParts } from './parts.ts';
import { createProductAdmin, type ProductAdmin } from './product-admin.ts';
import { Products } from './products.ts';
import { readHold, releaseHold } from './release.ts';
import { type SettleOutcome, type SettleRequest, settle } from './settle.ts';
import { SoldOut } from './sold-out.ts';

/**
 * Everything a buyer or a shop can ask for. Refusals are values; what cannot be known or done in
 * time throws `Unavailable`, and may be asked again.
 */
export interface Engine {
  hold: (request: HoldRequest, deadline: Deadline) => Promise<HoldOutcome>;
  readHold: (id: ReservationId, deadline: Deadline) => Promise<Hold | undefined>;
  release: (id: ReservationId, deadline: Deadline) => Promise<ReleaseOutcome>;
  /** Once for each hold; a repeat gets the same deadline again. */
  extend: (id: ReservationId, deadline: Deadline) => Promise<ExtendOutcome>;
  /** Resolves once the order is committed in MySQL. */
  order: (id: ReservationId, key: string, deadline: Deadline) => Promise<OrderOutcome>;
  readOrder: (id: ReservationId, deadline: Deadline) => Promise<Order | undefined>;
  /** Resolves once the cancellation is committed in MySQL. */
  cancel: (id: ReservationId, deadline: Deadline) => Promise<CancelOutcome>;
  /** Resolves once the outcome is committed in MySQL. The receipt must be there already. */
  settle: (request: SettleRequest, deadline: Deadline) => Promise<SettleOutcome>;
  readProduct: (id: number, deadline: Deadline) => Promise<Product | undefined>;
  listProducts: (deadline: Deadline) => Promise<Product[]>;
  /** Redis time as this process knows it, in milliseconds since 1970. */
  nowMs: () => number;
  admin: ProductAdmin & {
    overview: (deadline: Deadline) => Promise<Overview>;
    /** Of a hold, an order or a payment, named by its id or reference. */
    history: (id: string, deadline: Deadline) => Promise<History | undefined>;
    /** Orders that MySQL has, the newest first; `after` is where the page before ended. */
    orders: (
      filter: OrderFilter,
      page: { after: ReservationId | null; limit: number },
      deadline: Deadline,
    ) => Promise<OrderPage>;
  };
}

export function createEngine(parts: EngineParts): Engine {
  const products = new Products(parts);
  const orders = orderBatches(parts);
  const soldOut = new SoldOut();
  const holds = new Holds(parts, products, soldOut);
  const givers: EngineParts = {
    ...parts,
    ring: (lane, isAwaited) => {
      soldOut.forget(lane);
      parts.ring(lane, isAwaited);
    },
  };
  return {
    hold: (request, deadline) => holds.hold(request, deadline),
    readHold: (id, deadline) => readHold(parts, id, deadline),
    release: (id, deadline) => releaseHold(givers, id, deadline),
    extend: (id, deadline) => extendHold(parts, id, deadline),
    order: (id, key, deadline) => makeOrder(parts, orders, id, key, deadline),
    readOrder: (id, deadline) => readOrder(parts, id, deadline),
    cancel: (id, deadline) => cancelOrder(givers, id, deadline),
    settle: (request, deadline) => settle(givers, request, deadline),
    readProduct: (id, deadline) => products.read(id, deadline),
    listProducts: (deadline) => products.list(deadline),
    nowMs: () => parts.link.nowMs(),
    admin: {
      ...createProductAdmin(givers, products),
      overview: (deadline) => readOverview(parts, products, deadline),
      orders: (filter, page, deadline) =>
        query(deadline, 'orders', listOrders(parts.database, filter, page)),
      history: (id, deadline) => query(deadline, 'history', readHistory(parts.database, id)),
    },
  };
}
