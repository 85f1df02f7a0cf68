import type { ReservationId } from './ids.ts';
import type { Order } from './outcomes.ts';
import type { OrderState } from './reservation.ts';

/** Which orders are asked for; null for any. */
export interface OrderFilter {
  states: readonly OrderState[] | null;
  productId: number | null;
  buyer: string | null;
  /** Made at this moment or later, in milliseconds since 1970. */
  fromMs: number | null;
  /** Made before this moment. */
  toMs: number | null;
}

/** A part of a list, the newest first. */
export interface OrderPage {
  orders: (Order & { buyer: string })[];
  /** What to go on after; null at the end. A page can be short, even empty, and not be the last. */
  next: ReservationId | null;
}
