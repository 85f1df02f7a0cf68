import type { Findings } from './findings.ts';
import {
  type Books,
  COUNTERS,
  type Counters,
  counterOf,
  type FinalState,
  orderOf,
  unitsOfRows,
} from './state.ts';

const tell = (counters: Counters): string =>
  COUNTERS.map((name) => `${name} ${counters[name]}`).join(', ');

/** Both stores say the same, and it adds up (I1, I2, I7). */
export function checkBooks(state: FinalState, findings: Findings): void {
  const rows = unitsOfRows(state);
  for (const [id, books] of state.books) {
    const sums = rows.get(id);
    if (!sums) continue;
    const accounts = { Redis: books.redis, stock: books.stock, rows: sums };
    for (const [name, account] of Object.entries(accounts)) {
      checkSums(`${name} of product ${id}`, account, findings);
    }
    checkDrift(id, books, sums, findings);
    checkBuyers(id, books, state, findings);
  }
  for (const { lane, state: found, redis, mysql } of state.lanes) {
    if (redis !== mysql) {
      findings.add('drift', `lane ${lane} ends at ${redis} in Redis and at ${mysql} in MySQL`);
    }
    if (found !== 'open') findings.add('broken', `lane ${lane} is ${found}`);
  }
  checkOpenMatters(state, findings);
}

// What waits for people must have been dealt with by the end: the books are not whole without it.
function checkOpenMatters({ deadLetters, drifts }: FinalState, findings: Findings): void {
  for (const { position, what } of deadLetters) {
    findings.add('broken', `the dead letter of ${position} is open: ${what}`);
  }
  for (const { position, what } of drifts) {
    findings.add('broken', `the drift found at ${position} is open: ${what}`);
  }
}

function checkSums(who: string, account: Counters, findings: Findings): void {
  const { total, available, held, pending, sold } = account;
  const difference = total - available - held - pending - sold;
  if (difference !== 0) findings.add('drift', `${who} does not add up: ${tell(account)}`);
  const below = COUNTERS.reduce((sum, name) => sum + Math.max(0, -account[name]), 0);
  const above = Math.max(below, held + pending + sold - total, 0);
  if (above > 0) findings.add('oversold', `${who}: ${tell(account)}`, above);
}

function checkDrift(id: number, books: Books, rows: Counters, findings: Findings): void {
  for (const name of COUNTERS) {
    const accounts = [books.redis[name], books.stock[name], rows[name]];
    if (name === 'held' || name === 'pending') accounts.push(books.index[name]);
    const differing = Math.max(...accounts) - Math.min(...accounts);
    if (differing === 0) continue;
    const text = `product ${id}, ${name}: Redis ${accounts[0]}, stock ${accounts[1]}, rows ${accounts[2]}`;
    findings.add('drift', accounts.length > 3 ? `${text}, index ${accounts[3]}` : text, differing);
  }
}

// Units that buyers hold, owe for or bought, as far as they were counted.
function checkBuyers(id: number, books: Books, state: FinalState, findings: Findings): void {
  if (books.maxPerBuyer === null) return;
  const units = new Map<string, number>();
  for (const [holdId, hold] of state.holds) {
    if (!hold.counted || !counterOf(hold.state, state.orders.get(orderOf(holdId))?.state)) continue;
    for (const { product_id, qty } of hold.items) {
      if (product_id === id) units.set(hold.buyer, (units.get(hold.buyer) ?? 0) + qty);
    }
  }
  for (const buyer of new Set([...units.keys(), ...books.buyers.keys()])) {
    const [inRows, inRedis] = [units.get(buyer) ?? 0, books.buyers.get(buyer) ?? 0];
    if (inRows !== inRedis) {
      const text = `product ${id}, buyer ${buyer}: Redis counts ${inRedis}, rows ${inRows}`;
      findings.add('drift', text, Math.abs(inRows - inRedis));
    }
  }
}
