import { readFileSync } from 'node:fs';

/** A process that can be recognised later: its id alone may be given to another one. */
export interface ProcessRef {
  pid: number;
  /** When it started, comparable only with itself; null where the system does not tell. */
  start: string | null;
}

/** Describes a process of this machine, so that `isAlive` can recognise it later. */
export function processRef(pid: number): ProcessRef {
  return { pid, start: readStat(pid)?.start ?? null };
}

/** Tells whether the process still runs; neither a zombie nor another one with its id counts. */
export function isAlive(ref: ProcessRef): boolean {
  if (!answersSignals(ref.pid)) return false;
  const stat = readStat(ref.pid);
  if (stat === undefined) return true;
  if (stat.state === 'Z' || stat.state === 'X') return false;
  return ref.start === null || ref.start === stat.start;
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Source: proc(5), /proc/pid/stat: the name in parentheses may contain parentheses. */
function readStat(pid: number): { state: string; start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const [state, ticks] = [fields[0], fields[19]];
    return state === undefined || ticks === undefined
      ? undefined
      : { state, start: `${bootId}/${ticks}` };
  } catch {
    return undefined;
  }
}
