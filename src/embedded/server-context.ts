/** What a server needs to know to start. */
export interface ServerContext {
  /** Absolute. */
  dataDir: string;
  redisArguments: readonly string[];
  say(line: string): void;
  /** To be called as soon as a process runs, so that its end can be waited for after a crash. */
  started(pid: number): Promise<void>;
}

/** A server that answers. */
export interface StartedServer {
  url: string;
  /** "MariaDB 10.11.14" */
  description: string;
  /** null when it runs in a container. */
  pid: number | null;
  /** Resolves with the way it ended; never, when that cannot be told. */
  exited: Promise<string>;
  stop(): Promise<void>;
}
