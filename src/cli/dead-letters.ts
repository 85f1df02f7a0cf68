import { Command, Option } from 'commander';
import { type Database, openDatabase, query } from '../db/client.ts';
import { listOpenLetters, readDeadLetter } from '../db/stored-letters.ts';
import {
  type DeadLetters,
  formatLetterId,
  type LetterId,
  parseLetterId,
} from '../domain/dead-letters.ts';
import { Deadline } from '../domain/deadline.ts';
import { deadLetterJson, replayJson } from '../http/dead-letter-answer.ts';
import { deadLettersOf } from '../writer/replay.ts';
import { readCommandConfig, serversOf } from './connect.ts';
import { printLetter, printLetters, printReplay, type Told } from './letters-told.ts';
import { printJson } from './output.ts';
import { UsageError } from './usage.ts';

const LIMIT_MS = 10_000;
const TOLD_MAX = 1_000;
const PAGE = 1_000;

type Json = { json?: boolean };

function idOf(text: string): LetterId {
  const id = parseLetterId(text);
  if (id) return id;
  throw new UsageError(
    `"${text}" is no id of a dead letter: expected one such as 0.1-4711.0, see dead-letters list`,
  );
}

const noSuchLetter = (text: string) =>
  new Error(`there is no dead letter ${text}; see dead-letters list --all`);

const asked = <T>(asking: Promise<T>) => query(new Deadline(LIMIT_MS), 'dead letters', asking);

async function withLetters(
  work: (letters: DeadLetters, database: Database) => Promise<void>,
): Promise<void> {
  const config = await readCommandConfig();
  const database = openDatabase(serversOf(config).mysqlUrl, 2);
  try {
    await work(deadLettersOf(database, config.keepsHistory), database);
  } finally {
    await database.close();
  }
}

async function list({ all = false, json }: Json & { all?: boolean }): Promise<void> {
  await withLetters(async (deadLetters) => {
    const { letters, open } = await asked(deadLetters.list({ all, limit: TOLD_MAX }));
    if (json) printJson({ dead_letters: letters.map(deadLetterJson), open });
    else printLetters(letters, open, all);
    if (open > 0) process.exitCode = 1;
  });
}

async function show(text: string, { json }: Json): Promise<void> {
  const id = idOf(text);
  await withLetters(async (_, { pool }) => {
    const letter = await asked(readDeadLetter(pool, id));
    if (!letter) throw noSuchLetter(text);
    if (json) printJson(deadLetterJson(letter));
    else printLetter(letter);
  });
}

async function replayOne(letters: DeadLetters, id: LetterId, told: Told): Promise<void> {
  const outcome = await asked(letters.replay(id));
  if (outcome.status === 'not_found') throw noSuchLetter(formatLetterId(id));
  if (outcome.status === 'still_refused') {
    told.refused.push({ id: formatLetterId(outcome.letter.id), reason: outcome.reason });
    return;
  }
  const { replayed, made_again, missing_in_redis } = replayJson(outcome);
  told.replayed.push(...replayed);
  told.made_again.push(...made_again);
  told.missing_in_redis.push(...missing_in_redis);
}

// Each reservation once, whether its letters can be written or not.
async function replayAll(letters: DeadLetters, database: Database, told: Told): Promise<void> {
  const tried = new Set<string>();
  let after: LetterId | undefined;
  for (;;) {
    const page = await asked(listOpenLetters(database, after, PAGE));
    for (const { id, reservation } of page) {
      const whose = `${id.lane}:${reservation}`;
      if (reservation !== '' && tried.has(whose)) continue;
      tried.add(whose);
      await replayOne(letters, id, told);
    }
    after = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

async function replay(
  text: string | undefined,
  { all = false, json }: Json & { all?: boolean },
): Promise<void> {
  if ((text === undefined) !== all) throw new UsageError('name one dead letter, or say --all');
  const id = text === undefined ? undefined : idOf(text);
  const told: Told = { replayed: [], made_again: [], missing_in_redis: [], refused: [] };
  await withLetters(async (letters, database) => {
    if (id) await replayOne(letters, id, told);
    else await replayAll(letters, database, told);
  });
  if (json) printJson(told);
  else printReplay(told);
  if (told.refused.length > 0) process.exitCode = 1;
}

const HELP = `
A dead letter is a transition that is in the journal, and that no row of MySQL
took: a unique key that somebody used by hand, a row that is gone, a text of a
newer version. Nobody was told that it is durable. Its units have moved, and a
rebuild counts them; the rows of its hold wait, with all that follows. Mend what
"show" names, then replay: all of a hold in one transaction, or nothing. It can
be done while the sale goes on, and doing it twice does nothing.

More than 1,000 open ones close their lane until enough of them are replayed.`;

const LIST_HELP = `
Exit code 1: some are open. As a line of a crontab:
  */5 * * * * holdfast dead-letters list

Examples:
  $ holdfast dead-letters list
  $ holdfast dead-letters list --all --json | jq '.dead_letters[].reason'`;

const REPLAY_HELP = `
Rows that are gone are made again where the journal proves that they were there,
at the product's price of today where nothing tells another one.
Exit code 1: something is still refused; it is told which one, and why.

Examples:
  $ holdfast dead-letters replay 0.1-4711.0
  $ holdfast dead-letters replay --all`;

const jsonOption = () => new Option('--json', 'print JSON for machines');

/** `holdfast dead-letters ...`: what the journal has and no row took. */
export const deadLettersCommand = (): Command =>
  new Command('dead-letters')
    .description('transitions that MySQL did not take: see them, and write them after all')
    .addHelpText('after', HELP)
    .addCommand(
      new Command('list')
        .description('those that wait, the newest first')
        .option('--all', 'also those that were replayed')
        .addOption(jsonOption())
        .addHelpText('after', LIST_HELP)
        .action(list),
    )
    .addCommand(
      new Command('show')
        .description('one of them: what it says, what it moved, why no row took it')
        .argument('<id>', 'as listed')
        .addOption(jsonOption())
        .addHelpText('after', '\nExample:\n  $ holdfast dead-letters show 0.1-4711.0')
        .action(show),
    )
    .addCommand(
      new Command('replay')
        .description('write the rows of one, and of all that wait with it')
        .argument('[id]', 'as listed')
        .option('--all', 'all that are open')
        .addOption(jsonOption())
        .addHelpText('after', REPLAY_HELP)
        .action(replay),
    );
