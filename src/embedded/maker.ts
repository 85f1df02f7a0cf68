import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { compareVersions, type Flavour } from './programs.ts';
import { UnusableSetting } from './unusable.ts';

/** Written last, so in a folder that has it the initialisation came to its end. */
const MARKER = 'flavour';

/** The kind of server that works on a data folder. */
export interface Maker {
  flavour: Flavour;
  version: string;
}

/** Notes which server made the folder or works on it now. */
export async function writeMaker(folder: string, { flavour, version }: Maker): Promise<void> {
  await writeFile(join(folder, MARKER), `${flavour} ${version}\n`);
}

/** Who made the folder; undefined when its initialisation did not come to its end. */
export async function readMaker(folder: string): Promise<Maker | undefined> {
  const text = await readFile(join(folder, MARKER), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const [flavour = '', version = ''] = text.trim().split(' ');
  return { flavour: flavour as Flavour, version };
}

/** Throws when another flavour, or a newer series than this server's, made the data. */
export function refuseForeignData(folder: string, maker: Maker, server: Maker): void {
  const isNewer = compareVersions(seriesOf(maker), seriesOf(server)) > 0;
  if (maker.flavour === server.flavour && !isNewer) return;
  throw new UnusableSetting(
    `${folder} was made by ${maker.flavour} ${maker.version}, and the server found is ` +
      `${server.flavour} ${server.version}: set DATA_DIR to another folder, or delete ` +
      `${dirname(folder)}`,
  );
}

/** 10.11.14 is of the series 10.11, whose releases all read each other's data. */
function seriesOf(maker: Maker): string {
  return maker.version.split('.').slice(0, 2).join('.');
}
