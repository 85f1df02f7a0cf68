import { Child } from '../ipc.ts';

/** What listeners have heard since they were last asked. */
export interface Heard {
  events: number;
  elapsedMs: number;
  /** From the moment in a product's name to the event with that name. */
  p50Ms: number;
  p99Ms: number;
}

/** What to listen to, and how many do. */
export interface Audience {
  port: number;
  path: string;
  count: number;
}

const NAME = /"name":"changed at (\d+)"/;

/** A product's name that tells when it was given. */
export const nameOf = (atMs: number): string => `changed at ${atMs}`;

/** The moment in the name of the last event in a text; undefined without one. */
export function momentIn(text: string): number | undefined {
  const atMs = NAME.exec(text)?.[1];
  return atMs === undefined ? undefined : Number(atMs);
}

/** Listeners to event streams, in a process of their own. */
export class Listeners {
  readonly #child = new Child(new URL('listeners-process.ts', import.meta.url));

  /** Resolves once each of them has had its first event. */
  open(audience: Audience): Promise<void> {
    return this.#child.ask('open', audience);
  }

  /** Forgets what was heard before. */
  reset(): Promise<void> {
    return this.#child.ask('reset');
  }

  heard(): Promise<Heard> {
    return this.#child.ask('heard');
  }

  /** How many have heard of the change at this moment last. */
  know(atMs: number): Promise<number> {
    return this.#child.ask('know', atMs);
  }

  /** They all hang up. */
  close(): Promise<void> {
    return this.#child.ask('close');
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
