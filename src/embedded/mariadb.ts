import { access, mkdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Program } from './programs.ts';

/** What every call of mariadbd and mysqld begins with. */
export async function firstArguments(program: Program, dataDir: string): Promise<string[]> {
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const folders = program.flavour === 'MariaDB' ? (await findShare(program.path)).args : [];
  // Not the system's: a MariaDB that starts deletes the temporary tables of all others there.
  const temporaryFolder = join(dataDir, 'mysql.tmp');
  await mkdir(temporaryFolder, { recursive: true });
  // In any other place --no-defaults does not count.
  return ['--no-defaults', ...asRoot, `--tmpdir=${temporaryFolder}`, ...folders];
}

/**
 * The SQL that makes an empty folder a MariaDB data folder, as mariadb-install-db does: that one is
 * in the client package, which an unpacked server lacks.
 */
export async function mariadbBootstrapSql(program: Program): Promise<string> {
  const { sqlFiles } = await findShare(program.path);
  const statements = await Promise.all(sqlFiles.map((file) => readFile(file, 'utf8')));
  return ['use mysql;', 'set @auth_root_socket=NULL;', ...statements, ''].join('\n');
}

interface Share {
  args: string[];
  sqlFiles: string[];
}

/**
 * MariaDB's folder of messages and SQL files; the folder and the files carry either of two names.
 */
async function findShare(path: string): Promise<Share> {
  const prefix = dirname(dirname(await realpath(path)));
  const shares = [prefix, '/usr', '/usr/local'].flatMap((folder) => [
    join(folder, 'share/mariadb'),
    join(folder, 'share/mysql'),
  ]);
  for (const share of shares) {
    const sqlFiles =
      (await existing(sqlFilesOf(share, 'mariadb'))) ??
      (await existing(sqlFilesOf(share, 'mysql')));
    if (!sqlFiles) continue;
    const args = [
      `--basedir=${dirname(dirname(share))}`,
      `--lc-messages-dir=${share}`,
      `--character-sets-dir=${join(share, 'charsets')}`,
    ];
    return { args, sqlFiles };
  }
  throw new Error(`${path}: its SQL files (mysql_system_tables.sql) are in none of ${shares}`);
}

/** In the order in which they must run. */
function sqlFilesOf(share: string, prefix: string): string[] {
  return [
    join(share, `${prefix}_system_tables.sql`),
    join(share, `${prefix}_performance_tables.sql`),
    join(share, `${prefix}_system_tables_data.sql`),
    join(share, 'maria_add_gis_sp_bootstrap.sql'),
  ];
}

async function existing(files: string[]): Promise<string[] | undefined> {
  return Promise.all(files.map((file) => access(file))).then(
    () => files,
    () => undefined,
  );
}
