// A buyer and a payment provider on the generated client, which lies beside this file when it runs:
// client.test.ts puts both into a folder, compiles them, and runs them against a server.
import * as holdfast from './holdfast.ts';

/** What became of the order, and what was known of the stock. */
export interface Bought {
  orderId: string;
  status: string;
  amount: string;
  reference: string | undefined;
  soldBefore: number;
  refused: { code: string; available: number };
}

/** Asks for all units and more, then buys two of them and pays. */
export async function buy(baseUrl: string, productId: number, reference: string): Promise<Bought> {
  holdfast.defaults.baseUrl = baseUrl;
  const product = await holdfast.readProduct({ id: productId });
  if (product.status !== 200) throw new Error(product.data.detail);

  const tooMany = await holdfast.takeHold({
    holdRequest: { product_id: productId, qty: product.data.available_stock + 1 },
  });
  // Refusals have types, too: each status its codes, each code its fields.
  if (tooMany.status !== 409 || tooMany.data.code !== 'sold_out') throw new Error('not refused');
  const { code, available } = tooMany.data;

  const held = await holdfast.takeHold({
    idempotencyKey: `hold-${reference}`,
    holdRequest: { items: [{ product_id: productId, qty: 2 }], buyer: 'ada' },
  });
  if (held.status !== 201) throw new Error(held.data.detail);
  const ordered = await holdfast.makeOrder({ orderRequest: { hold_id: held.data.hold_id } });
  if (ordered.status !== 201) throw new Error(ordered.data.detail);
  const { order_id, amount } = ordered.data;

  const paid = await holdfast.receivePayment({
    paymentEvent: { order_id, reference, status: 'success' },
  });
  if (paid.status !== 200) throw new Error(paid.data.detail);
  const order = await holdfast.readOrder({ orderId: order_id });
  if (order.status !== 200) throw new Error(order.data.detail);
  return {
    orderId: order.data.order_id,
    status: order.data.status,
    amount,
    reference: order.data.payment?.reference,
    soldBefore: product.data.sold,
    refused: { code, available },
  };
}
