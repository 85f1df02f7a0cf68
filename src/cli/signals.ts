/** On Ctrl-C the terminal signals every process of `npm start`, and npm passes its own on. */
const ECHO_MS_MAX = 500;

/**
 * Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process at once. Returns how
 * to listen no longer.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => Promise<void>): () => void {
  let firstAt: number | undefined;
  const heard = (signal: NodeJS.Signals) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      void stop(signal);
    } else if (signal === 'SIGTERM' || performance.now() - firstAt > ECHO_MS_MAX) {
      process.exit(1);
    }
  };
  process.on('SIGINT', heard).on('SIGTERM', heard);
  return () => process.off('SIGINT', heard).off('SIGTERM', heard);
}
