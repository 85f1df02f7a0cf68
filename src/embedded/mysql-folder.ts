import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Maker, readMaker, refuseForeignData, writeMaker } from './maker.ts';
import type { ServerContext } from './server-context.ts';

/** The folder of the MySQL or MariaDB data. */
export function mysqlFolder(dataDir: string): string {
  return join(dataDir, 'mysql');
}

/**
 * Makes sure that DATA_DIR/mysql has complete data that this server can read, initialising it when
 * there is none. Throws when another flavour or a newer version made it.
 */
export async function prepareMysqlFolder(
  context: ServerContext,
  server: Maker,
  initialise: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mysqlFolder(context.dataDir);
  await removeUnfinished(context.dataDir);
  if (await hasUsableData(context, server)) return;
  // Initialised elsewhere: a server never starts on a half-initialised folder.
  const unfinished = `${folder}.new-${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  await initialise(unfinished);
  await writeMaker(unfinished, server);
  // Replaces a missing folder, and an empty one.
  await rename(unfinished, folder);
}

/** False when there is no data. Incomplete data is moved out of the way, never deleted. */
export async function hasUsableData(context: ServerContext, server: Maker): Promise<boolean> {
  const folder = mysqlFolder(context.dataDir);
  const files = await readdir(folder).catch(() => []);
  if (files.length === 0) return false;
  const maker = await readMaker(folder);
  if (maker) {
    refuseForeignData(folder, maker, server);
    return true;
  }
  const { mtimeMs } = await stat(folder);
  const aside = `${folder}.incomplete-${Math.floor(mtimeMs)}`;
  await rename(folder, aside);
  context.say(`the data in ${folder} was incomplete; it is now in ${aside}`);
  return false;
}

async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith('mysql.new-')) continue;
    // A killed initialisation may write for another moment: what stays is removed the next time.
    await rm(join(dataDir, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
