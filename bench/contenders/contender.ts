import type { Child } from '../ipc.ts';
import type { Generator, Load } from '../load/generator.ts';
import type { Servers } from '../servers.ts';

/** What buyers ask for in a case. */
export type Question = 'hold' | 'keyed' | 'order' | 'sold-out' | 'read';

/** What every case and every contender works with. */
export interface Bench {
  servers: Servers;
  generator: Generator;
  /** Folder for CPU profiles of what is measured, if they are wanted. */
  profiles: string | undefined;
  /** Whether a comparison is to have this contender. */
  wants: (name: string) => boolean;
  /** Another compiled checkout of Holdfast, as a URL, that stands beside this one. */
  against: string | undefined;
}

/** What is sent in a round; with a count, the round ends behind so many. */
export type Sending = Pick<Load, 'requests'> & Partial<Pick<Load, 'count'>>;

/** One question, ready to be asked many times over. */
export interface Task {
  /** Prepares a round of so many seconds. */
  sending: (seconds: number) => Promise<Sending>;
  /** The only status that may come back. */
  status: number;
  /** Resolves once everything that was accepted is stored. */
  settle: () => Promise<void>;
  /** Throws `AuditFailed` unless the stores say what the answers said. */
  audit: (accepted: number) => Promise<void>;
}

/** A process that answers requests. */
export interface ApiProcess {
  readonly port: number;
  readonly api: Child;
}

/** An API that is up, with the stores it needs. */
export interface Contestant extends ApiProcess {
  /** Further processes on the same stores, which share the load. */
  readonly others?: readonly ApiProcess[];
  /** Only where the writer is a process of its own. */
  readonly writer?: Child | undefined;
  prepare: (question: Question) => Promise<Task>;
  close: () => Promise<void>;
}

/** What is measured, or what it is measured against. */
export interface Contender {
  name: string;
  /** For the table: what it is. */
  what: string;
  open: (bench: Bench) => Promise<Contestant>;
  /** The same of another checkout; only Holdfast itself has this. */
  inCheckout?: (checkout: string) => Contender;
}

/** Answers and stores disagree: the run proves a bug, whatever its speed. */
export class AuditFailed extends Error {
  override readonly name = 'AuditFailed';
}

/** Compares what the stores say with what they must say. */
export function mustBe(
  who: string,
  said: Record<string, unknown>,
  expected: Record<string, number>,
): void {
  for (const [what, value] of Object.entries(expected)) {
    if (Number(said[what]) !== value) {
      throw new AuditFailed(`${who}: ${what} is ${said[what]}, and must be ${value}`);
    }
  }
}
