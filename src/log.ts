import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Structured logs on standard error, one JSON line an event; people get them pretty on a terminal. */
export function createLogger(level: string): Logger {
  const transport = process.stderr.isTTY
    ? {
        target: 'pino-pretty',
        options: { destination: 2, ignore: 'pid,hostname', singleLine: true },
      }
    : undefined;
  if (transport) return pino({ level, transport });
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
}
