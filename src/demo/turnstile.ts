type Admit = () => void;

/** First in, first out, at the same small cost however many wait. */
class Line {
  #waiting: Admit[] = [];
  #head = 0;

  push(admit: Admit): void {
    this.#waiting.push(admit);
  }

  shift(): Admit | undefined {
    const admit = this.#waiting[this.#head];
    if (admit === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1_024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return admit;
  }
}

/**
 * Lets at most so many in at a time. Who has something already goes before those who want
 * something: else a long line at the door would keep orders waiting until their holds have run out.
 */
export class Turnstile {
  #free: number;
  readonly #lines = { checkout: new Line(), door: new Line() };

  constructor(placesMax: number) {
    this.#free = placesMax;
  }

  /** Resolves when there is a place; every caller must `leave` again. */
  async enter(line: 'checkout' | 'door'): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((admit) => this.#lines[line].push(admit));
  }

  leave(): void {
    const next = this.#lines.checkout.shift() ?? this.#lines.door.shift();
    if (next) next();
    else this.#free += 1;
  }
}
