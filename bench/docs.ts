import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Plot } from './report.ts';

const page = new URL('../docs/performance.md', import.meta.url);
const plots = new URL('../docs/plots/', import.meta.url);

const opening = (name: string) => `<!-- bench ${name} -->`;
const closing = (name: string) => `<!-- /bench ${name} -->`;

/** Puts a section between its markers in docs/performance.md, and says where. */
export async function writeSection(name: string, markdown: string): Promise<string> {
  const text = await readFile(page, 'utf8');
  const start = text.indexOf(opening(name));
  const end = text.indexOf(closing(name));
  const path = fileURLToPath(page);
  if (start < 0 || end < start) throw new Error(`${path} has no markers for ${name}`);
  const before = text.slice(0, start + opening(name).length);
  await writeFile(page, `${before}\n\n${markdown}\n\n${text.slice(end)}`);
  return path;
}

/** Puts a plot where the sections look for it. */
export async function writePlot({ name, svg }: Plot): Promise<void> {
  await mkdir(plots, { recursive: true });
  await writeFile(new URL(`${name}.svg`, plots), svg);
}
