import { readdirSync, readFileSync } from 'node:fs';

// lua/ as text, for tests that compare headers with bodies.

const LUA = new URL('../../lua/', import.meta.url);

const namesIn = (folder: URL): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -'.lua'.length));

export const scriptNames = (): string[] => namesIn(LUA);
export const fragmentNames = (): string[] => namesIn(new URL('include/', LUA));
export const scriptText = (name: string): string =>
  readFileSync(new URL(`${name}.lua`, LUA), 'utf8');
export const fragmentText = (name: string): string => scriptText(`include/${name}`);

export interface ScriptHeader {
  keys: { position: number; name: string }[];
  /** JSON arguments are lists. */
  args: { position: number; name: string; isJson: boolean }[];
  /** Status word -> number of fields of its reply, or undefined where it has a variable number. */
  returns: Map<string, number | undefined>;
  emits: string;
}

/** What a script's header block says. */
export function parseHeader(text: string): ScriptHeader {
  const header = /^--\[\[\n([\s\S]*?)\n\]\]$/m.exec(text)?.[1] ?? '';
  const named = (kind: string) =>
    [
      ...header.matchAll(
        new RegExp(`^${kind}\\[(\\d+)\\] +(\\w+) +(?:hash|integer|string) *(JSON)?`, 'gm'),
      ),
    ].map(([, position, name = '', json]) => {
      return { position: Number(position), name, isJson: json !== undefined };
    });
  const returned = /^Returns, in order of precedence\n([\s\S]*?)^Emits (.*)$/m.exec(header);
  const returns = new Map<string, number | undefined>();
  for (const [, word = '', fields = ''] of (returned?.[1] ?? '').matchAll(
    /^ {2}\{'(\w+)'(.*?)\}/gm,
  )) {
    returns.set(word, fields.includes('...') ? undefined : fields.split(',').length);
  }
  return {
    keys: named('KEYS'),
    args: named('ARGV'),
    returns,
    emits: returned?.[2] ?? '',
  };
}

/** The script below its header. */
export const bodyOf = (text: string): string => text.slice(text.indexOf('\n]]\n') + 4);

const literalReplies = (body: string): [string, number][] =>
  [...body.matchAll(/\{\s*'([a-z_]+)'([^{}]*)\}/g)].map(([, word = '', fields = '']) => [
    word,
    fields.replace(/,\s*$/, '').split(',').length,
  ]);

/** Status words a body can answer with -> number of fields, as far as they stand there. */
export function repliesOf(body: string): Map<string, number | undefined> {
  const replies = new Map<string, number | undefined>(literalReplies(body));
  for (const [, word = ''] of body.matchAll(/settled\('([a-z_]+)'/g)) replies.set(word, undefined);
  const gated = /\bgate(?:_books)?\(([^)]*)\)/.exec(body)?.[1];
  if (gated === undefined) return replies;
  for (const [word, fields] of literalReplies(fragmentText('gate'))) {
    // Without a deadline of the whole call the gate never says `late`.
    if (word !== 'late' || gated.split(',').length === 3) replies.set(word, fields);
  }
  return replies;
}

/** The names under which a body uses its arguments, by position. */
export function argumentNamesOf(body: string): Map<number, string> {
  const names = new Map<number, string>();
  const assigned = /local ([\w, ]+) =\s*((?:(?:tonumber\()?ARGV\[\d+\]\)?(?:,\s*)?)+)/g;
  for (const [, left = '', right = ''] of body.matchAll(assigned)) {
    const positions = [...right.matchAll(/ARGV\[(\d+)\]/g)].map(([, position]) => Number(position));
    for (const [index, name] of left.split(',').entries()) {
      names.set(positions[index] ?? Number.NaN, name.trim());
    }
  }
  for (const [, quoted, plain, position] of body.matchAll(
    /(?:'(\w+)',|(\w+) =)\s+ARGV\[(\d+)\](?=[,})\s])/g,
  )) {
    const known = names.get(Number(position));
    if (known === undefined) names.set(Number(position), quoted ?? plain ?? '');
  }
  return names;
}
