import type { Finding } from '../../domain/finding.ts';
import type { Logger } from '../../log.ts';
import type { Reconciliation } from './reconciliation.ts';

/** Of one run; the others are counted. */
const TOLD_MAX = 20;

const keyOf = ({ kind, lane, productId, id }: Finding) => [kind, lane, productId, id].join(' ');

/**
 * Logs what a run over all books has found: each finding once, until a run no longer has it. What
 * was repaired is told, and over.
 */
export function createFindingLog(log: Logger): (run: Reconciliation) => void {
  let known: ReadonlyMap<string, Finding> = new Map();
  return ({ id: reconciliation, drift, found, findings }) => {
    const open = findings.filter(({ outcome }) => outcome !== 'repaired');
    const now = new Map(open.map((finding) => [keyOf(finding), finding]));
    const fresh = [...now].filter(([key]) => !known.has(key)).map(([, finding]) => finding);
    for (const { kind, lane, productId: product, id, ...rest } of fresh.slice(0, TOLD_MAX)) {
      const told = { reconciliation, kind, lane, product, id, ...rest };
      log.error(told, 'finding: the books do not agree');
    }
    if (fresh.length > TOLD_MAX) {
      const told = { reconciliation, found, drift, untold: fresh.length - TOLD_MAX };
      log.error(told, 'there are more findings than are told here');
    }
    // A run that lists only the first of very many says nothing about the others.
    const isWhole = findings.length >= found;
    const gone = [...known.keys()].filter((key) => !now.has(key)).length;
    if (isWhole && gone > 0) {
      log.info({ reconciliation, gone, open: now.size }, 'findings are gone');
    }
    known = now;
  };
}
