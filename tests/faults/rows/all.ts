import { apiSigkill, apiSigstop } from './processes.ts';
import type { Row } from './row.ts';

/** The table, in its order. */
export const ROWS: readonly Row[] = [apiSigkill, apiSigstop];
