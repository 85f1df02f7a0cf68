import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { adjustStockScript } from '../../src/redis/bindings/adjust-stock.ts';
import { closeLaneScript } from '../../src/redis/bindings/close-lane.ts';
import { correctScript } from '../../src/redis/bindings/correct.ts';
import { expireScript } from '../../src/redis/bindings/expire.ts';
import { extendScript } from '../../src/redis/bindings/extend.ts';
import { holdScript } from '../../src/redis/bindings/hold.ts';
import { loadLaneScript } from '../../src/redis/bindings/load-lane.ts';
import { markScript } from '../../src/redis/bindings/mark.ts';
import { openLaneScript } from '../../src/redis/bindings/open-lane.ts';
import { orderScript } from '../../src/redis/bindings/order.ts';
import { putProductScript } from '../../src/redis/bindings/put-product.ts';
import { readProductsScript } from '../../src/redis/bindings/read-products.ts';
import { releaseScript } from '../../src/redis/bindings/release.ts';
import { repairScript } from '../../src/redis/bindings/repair.ts';
import { settleScript } from '../../src/redis/bindings/settle.ts';
import { startRebuildScript } from '../../src/redis/bindings/start-rebuild.ts';
import { trimScript } from '../../src/redis/bindings/trim.ts';
import { wipeLaneScript } from '../../src/redis/bindings/wipe-lane.ts';
import { loadScript, type ScriptBinding } from '../../src/redis/script.ts';
import {
  argumentNamesOf,
  bodyOf,
  fragmentNames,
  fragmentText,
  parseHeader,
  repliesOf,
  scriptNames,
  scriptText,
} from '../support/lua.ts';

// Each script's header against its body and its binding: what is documented is what happens.

/** What gives units back, settles or stops goes on at maxmemory; what needs memory does not. */
const FLAGS: Record<string, string> = {
  close_lane: '#!lua flags=allow-oom',
  correct: '#!lua flags=allow-oom',
  expire: '#!lua flags=allow-oom',
  open_lane: '#!lua flags=allow-oom',
  release: '#!lua flags=allow-oom',
  repair: '#!lua flags=allow-oom',
  settle: '#!lua flags=allow-oom',
  start_rebuild: '#!lua flags=allow-oom',
  wipe_lane: '#!lua flags=allow-oom',
  trim: '#!lua flags=allow-oom',
  read_products: '#!lua flags=no-writes',
};

const BINDINGS = new Map<string, ScriptBinding<never, unknown>>(
  [
    adjustStockScript,
    closeLaneScript,
    correctScript,
    expireScript,
    extendScript,
    holdScript,
    loadLaneScript,
    markScript,
    openLaneScript,
    orderScript,
    putProductScript,
    readProductsScript,
    releaseScript,
    repairScript,
    settleScript,
    startRebuildScript,
    trimScript,
    wipeLaneScript,
  ].map((script) => [script.name, script]),
);

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const LISTS = new Set(['products', 'reservations', 'buyers', 'keys', 'suffixes', 'repairs']);

/** Stands for any arguments: each value is its own name, as a header spells it. */
const nameTeller: Record<string, unknown> = new Proxy(
  {},
  {
    get: (_, name) => {
      if (name === 'rules' || name === 'units' || name === 'money') return nameTeller;
      if (name === 'requests') return [nameTeller];
      if (name === 'facts') return { record: 'facts', epoch: 'facts_epoch' };
      if (name === 'items') return [{ productId: 'items', qty: '' }];
      if (name === 'productIds') return ['product_id'];
      if (LISTS.has(String(name))) return [];
      return snakeCase(String(name));
    },
  },
);

const bindingSource = (name: string) =>
  readFileSync(
    new URL(`../../src/redis/bindings/${name.replaceAll('_', '-')}.ts`, import.meta.url),
    'utf8',
  );

/** Status words that a binding's reply type knows. */
function wordsOfBinding(name: string): Set<string> {
  const common = bindingSource('common');
  let source = bindingSource(name);
  for (const shared of ['Refused', 'Missing']) {
    if (!new RegExp(`\\b${shared}\\b`).test(source)) continue;
    source += new RegExp(`export type ${shared} = .*`).exec(common)?.[0] ?? '';
  }
  const unions = source.matchAll(/(?:\bstatus: |\b[Ww]ord<)((?:\s*\|?\s*'\w+')+)/g);
  const words = [...unions].flatMap(([, union = '']) => [...union.matchAll(/'(\w+)'/g)]);
  return new Set(words.map(([, word = '']) => word));
}

test('every script has a binding and every binding a script', () => {
  expect([...BINDINGS.keys()].sort()).toEqual(scriptNames().sort());
});

test('every fragment is used, and every include exists', () => {
  const texts = [...scriptNames().map(scriptText), ...fragmentNames().map(fragmentText)];
  const includes = texts.flatMap((text) => [...text.matchAll(/^--@include (\w+)$/gm)]);
  expect([...new Set(includes.map(([, name]) => name))].sort()).toEqual(fragmentNames().sort());
});

describe.each(scriptNames())('%s', (name) => {
  const text = scriptText(name);
  const body = bodyOf(text);
  const header = parseHeader(text);

  test('begins with its flags, and has its includes spelled out once', () => {
    expect(text.split('\n')[0]).toBe(FLAGS[name] ?? '#!lua');
    const loaded = loadScript(name);
    expect(loaded).not.toMatch(/^--@include/m);
    for (const fragment of fragmentNames()) {
      expect(loaded.split(fragmentText(fragment).split('\n')[0] ?? '').length).toBeLessThanOrEqual(
        2,
      );
    }
  });

  test('declares the lane as its only key, and every fragment takes it from there', () => {
    expect(header.keys).toMatchObject([{ position: 1, name: 'lane' }]);
    const uses = [...bodyOf(loadScript(name)).matchAll(/KEYS\[?(\d*)/g)].map(([use]) => use);
    expect(uses).toEqual(['KEYS[1']);
  });

  test('documents every argument under the name and number that the body uses', () => {
    expect(header.args.map(({ position }) => position)).toEqual(header.args.map((_, i) => i + 1));
    const used = argumentNamesOf(body);
    for (const { position, name } of header.args) {
      if (body.includes(`cjson.decode(ARGV[${position}])`)) used.set(position, name);
    }
    // What repeats comes last.
    const last = header.args.at(-1);
    if (last && body.includes('#ARGV')) used.set(last.position, last.name);
    const documented = header.args.map(({ position, name }): [number, string] => [position, name]);
    expect([...used].sort(([a], [b]) => a - b)).toEqual(documented);
    const positions = [...body.matchAll(/ARGV\[(\d+)\]/g)].map(([, position]) => Number(position));
    for (const position of positions) expect(used.has(position)).toBe(true);
  });

  test('gets from its binding the arguments that it documents, in this order', () => {
    const args = BINDINGS.get(name)?.args(nameTeller as never) ?? [];
    const names = args.map((arg, index) => {
      const { isJson, name } = header.args[index] ?? {};
      // A list: what its elements are, each script's own test shows.
      return isJson && Array.isArray(JSON.parse(String(arg)))
        ? name
        : String(arg).replace(/:$/, '');
    });
    expect(names).toEqual(header.args.map(({ name }) => name));
  });

  test('documents every reply, and each of them can be given', () => {
    const replies = repliesOf(body);
    expect([...header.returns.keys()].sort()).toEqual([...replies.keys()].sort());
    for (const [word, fields] of header.returns) {
      const given = replies.get(word);
      if (fields !== undefined && given !== undefined)
        expect([word, fields]).toEqual([word, given]);
    }
  });

  test('has a binding that knows every reply', () => {
    const documented = new Set(header.returns.keys());
    expect(wordsOfBinding(name)).toEqual(documented);
  });

  test('says what it emits', () => {
    const emits = /\btransition\(|\breclaim\(|\badd_to_entry\(/.test(body);
    expect(header.emits === 'nothing').toBe(!emits);
  });
});

test('the requests of a hold have the fields that are documented, in this order', () => {
  const text = scriptText('hold');
  const header = text.slice(0, text.indexOf(']]'));
  const listed = /JSON, \[([^\]]*)\]/.exec(header)?.[1]?.split(', ') ?? [];
  expect(listed).not.toEqual([]);
  const explained = [...header.matchAll(/^ {2}(\w+) +(?:integer|string) /gm)];
  expect(explained.map(([, name]) => name)).toEqual(listed);
  const parameters = /function decide\(([^)]*)\)/.exec(bodyOf(text))?.[1]?.split(', ') ?? [];
  expect(parameters.map((name) => name.replace(/_text$/, ''))).toEqual(listed);
  const requests = [nameTeller, nameTeller];
  const batch = { epoch: 1, run: '', call: '', idempotencyTtlMs: 1, requests };
  const sent: string[][] = JSON.parse(String(holdScript.args(batch as never)[4]));
  const names = sent.map((fields) => fields.map((field) => field.replace(/:$/, '')));
  expect(names).toEqual([listed, listed]);
});
