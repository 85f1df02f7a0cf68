import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Maker, readMaker, refuseForeignData, writeMaker } from '../../src/embedded/maker.ts';
import { temporaryFolder } from './support.ts';

const MARIADB: Maker = { flavour: 'MariaDB', version: '10.11.14' };

describe('refuseForeignData', () => {
  it.each(['10.11.14', '10.11.99', '10.6.30', '5.5.0'])('accepts data of MariaDB %s', (version) => {
    expect(() => refuseForeignData('/d/mysql', { ...MARIADB, version }, MARIADB)).not.toThrow();
  });

  it.each([
    { flavour: 'MariaDB', version: '11.4.2' },
    { flavour: 'MariaDB', version: '10.12.0' },
    { flavour: 'MySQL', version: '8.0.36' },
  ] as const)('refuses data of $flavour $version, and names the way out', (maker) => {
    expect(() => refuseForeignData('/d/mysql', maker, MARIADB)).toThrow(
      `/d/mysql was made by ${maker.flavour} ${maker.version}, and the server found is ` +
        'MariaDB 10.11.14: set DATA_DIR to another folder, or delete /d',
    );
  });
});

describe('readMaker', () => {
  it('reads what writeMaker wrote, and nothing from a folder without it', async () => {
    const folder = join(await temporaryFolder(), 'mysql');
    await mkdir(folder);
    expect(await readMaker(folder)).toBeUndefined();
    await writeMaker(folder, MARIADB);
    expect(await readMaker(folder)).toEqual(MARIADB);
  });
});
