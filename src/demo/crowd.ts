import { live } from './buyer.ts';
import { Ledger } from './ledger.ts';
import { type Answer, Shop } from './shop.ts';

const LOOK_EVERY_MS = 250;
const CONNECTIONS_MAX = 128;

/** What is sold to whom. */
export interface Plan {
  url: string;
  productId: number;
  payTtlMs: number;
  buyers: number;
  stock: number;
  /** How long refused buyers come back. */
  seconds: number;
  seed: number;
  /** Names this run in keys and references, which must be new in each. */
  run: string;
}

/** Units as the shop shows them to everybody. */
export interface Shelf {
  available: number;
  held: number;
  pending: number;
  sold: number;
}

/** A sale that is going on. */
export interface Sale extends Plan {
  shop: Shop;
  ledger: Ledger;
  shelf: Shelf;
  /** False once the last unit is sold, or the time is over: then refused buyers go home. */
  isOpen: () => boolean;
}

function shelfOf({ body }: Answer): Shelf {
  const { available_stock: available = 0, held = 0, pending = 0, sold = 0 } = body;
  return { available, held, pending, sold };
}

/** Looks at the shelf as any visitor can, until the work is done. */
async function watch(sale: Sale, soldOut: () => void, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const answer = await sale.shop.product(sale.productId);
    if (answer.status === 200) Object.assign(sale.shelf, shelfOf(answer));
    const { available, held, pending, sold } = sale.shelf;
    if (answer.status === 200 && available + held + pending === 0 && sold > 0) soldOut();
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))]);
  }
}

/** Opens the doors. `finished` resolves when every buyer's life is over. */
export function openSale(plan: Plan): { sale: Sale; finished: Promise<void> } {
  const ledger = new Ledger(plan.buyers);
  let isSoldOut = false;
  const sale: Sale = {
    ...plan,
    shop: new Shop(plan.url, CONNECTIONS_MAX),
    ledger,
    shelf: { available: plan.stock, held: 0, pending: 0, sold: 0 },
    isOpen: () => !isSoldOut && ledger.elapsedMs() < plan.seconds * 1_000,
  };
  const lives = Array.from({ length: plan.buyers }, (_, number) => live(sale, number));
  const crowd = Promise.all(lives);
  const soldOut = () => {
    isSoldOut = true;
  };
  const finished = watch(sale, soldOut, crowd).then(() => crowd.then(() => undefined));
  return { sale, finished };
}
