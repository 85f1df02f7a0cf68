/** What can be wrong. `declared` is a loss that the protocol declares for the row. */
export type Wrong = 'lost' | 'duplicated' | 'oversold' | 'drift' | 'broken' | 'declared';

const TEXTS_MAX = 8;

/** Everything that is wrong, counted and told. */
export class Findings {
  readonly counts: Record<Wrong, number> = {
    ...{ lost: 0, duplicated: 0, oversold: 0 },
    ...{ drift: 0, broken: 0, declared: 0 },
  };
  readonly #texts = new Map<Wrong, string[]>();

  add(wrong: Wrong, text: string, count = 1): void {
    this.counts[wrong] += count;
    const texts = this.#texts.get(wrong) ?? [];
    this.#texts.set(wrong, texts);
    if (texts.length < TEXTS_MAX) texts.push(`${wrong}: ${text}`);
  }

  /** Told before all others of its kind. */
  addFirst(wrong: Wrong, text: string): void {
    this.counts[wrong] += 1;
    this.#texts.set(wrong, [`${wrong}: ${text}`, ...(this.#texts.get(wrong) ?? [])]);
  }

  /** `lost` where the row does not declare it. */
  loss(isDeclared: boolean, text: string): void {
    this.add(isDeclared ? 'declared' : 'lost', text);
  }

  /** Some lines of each kind, declared losses left out. */
  get texts(): string[] {
    return [...this.#texts].flatMap(([wrong, texts]) => (wrong === 'declared' ? [] : texts));
  }

  get isClean(): boolean {
    const { declared: _, ...wrong } = this.counts;
    return Object.values(wrong).every((count) => count === 0);
  }
}
