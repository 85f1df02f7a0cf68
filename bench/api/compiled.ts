/**
 * A module of the engine as `npm start` runs it: compiled by tsc. The TypeScript loader of the bench
 * would run it too, but wraps each function that a request makes, which costs measurable time.
 */
export const compiled = (path: string): Promise<unknown> =>
  import(new URL(`../../dist/${path}.js`, import.meta.url).href);
