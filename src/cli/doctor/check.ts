/** One thing that was looked at. `advice` says what to do where it is not `ok`. */
export interface Check {
  what: string;
  state: 'ok' | 'warn' | 'bad';
  found: string;
  advice: string;
}

export const ok = (what: string, found: string): Check => ({
  what,
  state: 'ok',
  found,
  advice: '',
});

export const warn = (what: string, found: string, advice: string): Check => ({
  what,
  state: 'warn',
  found,
  advice,
});

export const bad = (what: string, found: string, advice: string): Check => ({
  what,
  state: 'bad',
  found,
  advice,
});

/** `ok` where it is as it should be, else the other one. */
export const either = (isFine: boolean, fine: Check, otherwise: Check): Check =>
  isFine ? fine : otherwise;
