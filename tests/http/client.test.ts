import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { listen } from '../../src/http/server.ts';
import { makeProduct, startEngine, type TestEngine } from '../support/engine.ts';
import { openApi } from './document.ts';
import { appOn } from './support.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const buyFile = fileURLToPath(new URL('client/buy.ts', import.meta.url));

let engine: TestEngine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.stop());

/** Generates a client of this document, and compiles tests/http/client/buy.ts with it. */
async function build(document: object): Promise<{ folder: string; errors: string }> {
  // Within the project, so that the client finds its runtime.
  await mkdir(join(root, '.holdfast'), { recursive: true });
  const folder = await mkdtemp(join(root, '.holdfast/client-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [json, client] = [join(folder, 'openapi.json'), join(folder, 'holdfast.ts')];
  await writeFile(json, JSON.stringify(document));
  await copyFile(buyFile, join(folder, 'buy.ts'));
  const compilerOptions = {
    rootDir: '.',
    outDir: 'out',
    incremental: false,
    lib: ['es2023', 'dom'],
    // `strict` is what its makers promise, and this is beyond that.
    exactOptionalPropertyTypes: false,
  };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
  );
  const node = (...args: string[]) => run(process.execPath, args, { cwd: root });
  await node('node_modules/oazapfts/dist/cli.js', '--argumentStyle=object', json, client);
  const compiled = await node('node_modules/typescript/bin/tsc', '-p', folder).catch(
    (error: { stdout: string }) => error,
  );
  return { folder, errors: compiled.stdout };
}

test('a client generated from the document buys two units, and knows a refusal', async () => {
  const { id } = await makeProduct(engine, { totalStock: 5 });
  const { folder, errors } = await build(openApi);
  expect(errors).toBe('');
  const server = await listen(appOn(engine), { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  const { buy } = await import(pathToFileURL(join(folder, 'out/buy.js')).href);
  const bought: unknown = await buy(server.url, id, 'pay-of-the-client');
  expect(bought).toEqual({
    orderId: expect.stringMatching(/^order_/),
    status: 'paid',
    amount: '39.80',
    reference: 'pay-of-the-client',
    soldBefore: 0,
    refused: { code: 'sold_out', available: 5 },
  });
});

test.for([
  ['available_stock', 'available'],
  ['hold_id', 'id'],
  ['sold_out', 'gone'],
])('with %s misspelt in the document, it does not compile', async ([name = '', other = '']) => {
  const misspelt = JSON.stringify(openApi).replaceAll(`"${name}"`, `"${other}"`);
  const { errors } = await build(JSON.parse(misspelt));
  expect(errors).toMatch(/buy\.ts.* error TS/);
  expect(errors).toContain(name);
});
