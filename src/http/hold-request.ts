import { z } from '@hono/zod-openapi';
import { canonicalItems, type Item } from '../domain/reservation.ts';
import { buyerField, productIdField, whole } from './fields.ts';

const QTY_MAX = 10_000;
const ITEMS_MAX = 20;

const qty = whole(1, QTY_MAX).openapi({ description: 'Units of the product', example: 2 });

const item = z
  .object({ product_id: productIdField, qty }, 'must be an object with product_id and qty')
  .openapi('HoldRequestItem');

const ITEMS = `must be a list of 1 to ${ITEMS_MAX} items`;

const fields = z.object(
  {
    product_id: productIdField.optional(),
    qty: qty.optional(),
    items: z
      .array(item, ITEMS)
      .min(1, ITEMS)
      .max(ITEMS_MAX, ITEMS)
      .optional()
      .openapi({ description: 'Units of several products, held all or none' }),
    buyer: buyerField.optional().openapi({
      description: 'Who holds; required where a product limits units per buyer',
      example: 'ada',
    }),
  },
  'must be a JSON object',
);

type Fail = (field: string, message: string) => void;

// The items of either form of the body; what is wrong with it goes to `fail`.
function itemsOf({ product_id, qty, items }: z.output<typeof fields>, fail: Fail): Item[] {
  if (items === undefined) {
    if (product_id !== undefined && qty !== undefined) return [{ productId: product_id, qty }];
    if (product_id === undefined) fail('product_id', 'is required, or items instead');
    if (qty === undefined) fail('qty', 'is required, or items instead');
    return [];
  }
  if (product_id !== undefined || qty !== undefined) {
    fail('items', 'must not stand beside product_id and qty');
    return [];
  }
  const canonical = canonicalItems(
    items.map(({ product_id, qty }) => ({ productId: product_id, qty })),
  );
  const tooMany = canonical.find(({ qty }) => qty > QTY_MAX);
  if (tooMany) {
    fail('items', `must hold at most ${QTY_MAX} units of product ${tooMany.productId} in all`);
  }
  return canonical;
}

/** What is asked for in `POST /api/holds`, in either form; canonical items once parsed. */
export const holdRequest = fields
  .transform((body, context) => {
    const items = itemsOf(body, (field, message) =>
      context.addIssue({ code: 'custom', path: [field], message }),
    );
    return { items, buyer: body.buyer ?? '' };
  })
  .openapi('HoldRequest', {
    description:
      'Units of one product (`product_id` and `qty`) or of several (`items`), not both. Lines of ' +
      'the same product are added up.',
    example: { product_id: 1, qty: 2, buyer: 'ada' },
    oneOf: [{ required: ['product_id', 'qty'] }, { required: ['items'] }],
  });
