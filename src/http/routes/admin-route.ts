/** What every route under `/api/admin` has in the OpenAPI document. */
export const ADMIN = { tags: ['admin'], security: [{ adminToken: [] }] };

/** What every route under `/api/admin` can refuse; `not_found` without a configured token. */
export const ADMIN_REFUSALS = ['unauthorized', 'not_found', 'unavailable'] as const;
