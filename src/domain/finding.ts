/** Everything a reconciliation can find wrong; docs/reconciliation.md tells what each one means. */
export type FindingKind =
  | 'stock_disagrees'
  | 'oversold'
  | 'redis_disagrees'
  | 'product_missing'
  | 'catalog_wrong'
  | 'rules_differ'
  | 'row_missing'
  | 'row_edited'
  | 'record_missing'
  | 'record_differs'
  | 'record_stray'
  | 'index_missing'
  | 'index_stray'
  | 'deadline_differs'
  | 'overdue'
  | 'buyer_count'
  | 'receipt_open'
  | 'receipt_disagrees'
  | 'adjustment_open'
  | 'dead_letter'
  | 'lane'
  | 'queue';

export type FoundValue = string | number | null | Record<string, string | number>;

/** Something that is not as it must be. */
export interface Finding {
  kind: FindingKind;
  lane: number | null;
  productId: number | null;
  /** Of the hold, order, payment event, adjustment or journal entry in question; else ''. */
  id: string;
  expected: FoundValue;
  found: FoundValue;
  /** Units by which two accounts differ because of it; 0 where no counter is wrong. */
  units: number;
  /** What `--fix` does about it, or what people must do. */
  repair: string;
  outcome: 'left' | 'repaired' | 'failed';
}
