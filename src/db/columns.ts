import { bigint, customType, datetime } from 'drizzle-orm/mysql-core';

/** Ids, keys and states: compared byte by byte, one byte a character. */
export const ascii = customType<{ data: string; config: { length: number } }>({
  dataType: (config) => `varchar(${config?.length ?? 255}) character set ascii collate ascii_bin`,
});

/** A JSON column as a value; MariaDB returns it as text. */
export const fromJson = <T>(value: unknown): T =>
  (typeof value === 'string' ? JSON.parse(value) : value) as T;

export const jsonOf = <T>() =>
  customType<{ data: T; driverData: unknown }>({
    dataType: () => 'json',
    toDriver: (value) => JSON.stringify(value),
    fromDriver: (value) => fromJson<T>(value),
  });

export const moment = (name: string) => datetime(name, { mode: 'date', fsp: 3 });
export const units = (name: string) => bigint(name, { mode: 'number' });
export const position = (name: string) => bigint(name, { mode: 'number' });
