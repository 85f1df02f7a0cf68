import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runInShell } from '../support/curl.ts';
import { HoldfastProcess } from '../support/process.ts';
import { projectFile } from '../support/project.ts';

const CALLS = 5;
const BETWEEN = '-- the next call --';

let folder: string;
let serve: HoldfastProcess;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tour-'));
  serve = new HoldfastProcess(['serve'], { DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'warn' });
  url = await serve.ready();
}, 120_000);

afterAll(async () => {
  await serve.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The blocks of one language in the README's tour, in their order. */
async function tourBlocks(language: string): Promise<string[]> {
  const [, tour = ''] = (await projectFile('README.md')).split('\n## A tour\n');
  const [section = ''] = tour.split('\n## ');
  const blocks = section.matchAll(/^```(\w+)\n(.*?)^```$/gms);
  return [...blocks].flatMap(([, name, text]) => (name === language ? [text ?? ''] : []));
}

// What differs from run to run; everything else is to be as printed.
function withoutChance(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replaceAll(/\b(hold|order)_[0-9a-z]{26}\b/g, '$1_ID')
    .replaceAll(/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g, '"TIME"');
  return JSON.parse(text);
}

test('the five calls of the tour, run as one script, get the answers that it prints', async () => {
  const calls = await tourBlocks('sh');
  const printed = (await tourBlocks('json')).map((text) => JSON.parse(text));
  expect([calls.length, printed.length]).toEqual([CALLS, CALLS]);
  const [first = '', ...others] = calls;
  expect(first).toContain('URL=http://127.0.0.1:3000\n');
  const here = [first.replace('http://127.0.0.1:3000', url), ...others];
  const said = await runInShell(here.join(`\necho '${BETWEEN}'\n`), folder);
  const answers = said.split(BETWEEN).map((text) => JSON.parse(text));
  expect(answers.map(withoutChance)).toEqual(printed.map(withoutChance));
  expect(answers.map(Object.keys)).toEqual(printed.map(Object.keys));
});

test('the printed answers are those of one hold', async () => {
  const printed = (await tourBlocks('json')).join('');
  const ids = [...printed.matchAll(/\b(?:hold|order)_([0-9a-z]{26})\b/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(1);
});
