import { live } from './buyer.ts';
import { Ledger } from './ledger.ts';
import type { Plan, Sale, Shelf } from './sale.ts';
import { type Answer, Shop } from './shop.ts';

const LOOK_EVERY_MS = 250;

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
    const answer = await sale.shop.product(sale.plan.productId);
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
    plan,
    shop: new Shop(plan.url, plan.webhookSecret),
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
