/** What an API under load is told at its start. */
export interface ApiSettings {
  kind: 'holdfast' | 'bare' | 'bare-later' | 'plain-decr' | 'raw-hono' | 'row-lock' | 'node-http';
  redisUrl: string;
  mysqlUrl: string;
  /** Roles of Holdfast, as `ROLES` names them. */
  roles: string;
  /** Folder of the compiled Holdfast, as a URL. */
  checkout: string;
  /** Most holds in one script call of Holdfast, where it is not to choose. */
  batchMax?: number | undefined;
}

export const OWN_CHECKOUT = new URL('../../', import.meta.url).href;

/** An API that takes requests. Port 0 in a process without the role `api`. */
export interface RunningApi {
  port: number;
  close: () => Promise<void>;
}

/** Admin token of the Holdfast under load. */
export const ADMIN_TOKEN = 'bench-admin-token';

/** What the APIs without a store answer `sold_out` for; any other product is granted. */
export const SOLD_OUT_PRODUCT = 2;

/** Where `plain DECR` counts. */
export const PLAIN_STOCK = 'plain-stock';
