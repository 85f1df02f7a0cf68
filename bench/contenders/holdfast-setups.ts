import type { Contender } from './contender.ts';
import { Holdfast, type Setup } from './holdfast.ts';

const contender = (name: string, what: string, setup: Setup): Contender => ({
  name,
  what,
  open: (bench) => Holdfast.open(bench, setup),
  inCheckout: (checkout) => ({
    name: `${name} of the other`,
    what: 'the same, compiled in the other checkout',
    open: (bench) => Holdfast.open(bench, { ...setup, checkout }),
  }),
});

/** Everything in one process, as `npm start` runs it. */
export const holdfast = contender('Holdfast', 'all roles in one process, as `npm start` runs it', {
  roles: 'together',
});

/** The same, with the writer, expiry and the reconciler in a process of their own. */
export const holdfastApart = contender(
  'Holdfast (writer apart)',
  'the API in one process, the other roles in a second one',
  { roles: 'apart' },
);

/** The API twice, each in a process of its own. */
export const holdfastTwoApis = contender(
  'Holdfast (two APIs)',
  'the API in two processes, the other roles in a third one',
  { roles: 'apart', apis: 2 },
);

/** Holdfast without its coalescing. */
export const oneCallEach = contender('one call each', 'Holdfast with a script call for each hold', {
  roles: 'together',
  batchMax: 1,
});
