import { OWN_CHECKOUT } from './settings.ts';

/**
 * A module of the engine as `npm start` runs it: compiled by tsc. The TypeScript loader of the bench
 * would run it too, but wraps each function that a request makes, which costs measurable time.
 */
export const compiled = (path: string, checkout = OWN_CHECKOUT): Promise<unknown> =>
  import(new URL(`dist/${path}.js`, checkout).href);
