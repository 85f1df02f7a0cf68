import { expect, test } from 'vitest';
import { formatLetterId } from '../../src/domain/dead-letters.ts';
import { expectBooksBalance } from '../support/books.ts';
import { blockedPurchase, openLetters, unblock } from '../support/dead-letters.ts';
import { ownEngine } from '../support/engine.ts';
import { appOn, clientOf, expectProblem, ISO_TIME } from './support.ts';

const nothing = async () => undefined;

test('dead letters are told, the newest first, and replayed once nothing stands against it', async () => {
  const { t, id } = await blockedPurchase();
  const client = clientOf(appOn(t));
  const list = async (query = '') => (await client.admin('GET', `/dead-letters${query}`)).body;
  const ids = (await openLetters(t)).map(formatLetterId);
  const first = ids[0] ?? '';
  const { dead_letters: letters, open } = (await list()) as {
    dead_letters: { id: string }[];
    open: number;
  };
  expect(open).toBe(4);
  expect(letters.map((letter) => letter.id)).toEqual(ids.toReversed());
  expect(letters.at(-1)).toEqual({
    id: first,
    at: expect.stringMatching(ISO_TIME),
    kind: 'reservation',
    hold_id: `hold_${id}`,
    reason: expect.stringContaining('Duplicate entry'),
    units: [expect.objectContaining({ available: -2, held: 2 })],
    transition: expect.objectContaining({ from: 'none', to: 'held', buyer: 'ann' }),
    replayed_at: null,
  });

  const replay = (letter: string) => client.admin('POST', `/dead-letters/${letter}/replay`);
  expectProblem(await replay(ids[2] ?? ''), 'still_refused', { dead_letter: first });
  await unblock(t);
  const { status, body } = await replay(ids[2] ?? '');
  expect(status).toBe(200);
  expect(body).toEqual({ replayed: ids, made_again: [], missing_in_redis: [] });
  expect((await replay(first)).body).toEqual({ ...body, replayed: [] });
  expect(await list()).toEqual({ dead_letters: [], open: 0 });
  expect(await list('?all=1')).toMatchObject({
    dead_letters: ids.toReversed().map((letter) => ({ id: letter })),
    open: 0,
  });
  await expectBooksBalance(t);
});

test('an unknown id and a malformed one are not found; nobody gets in without the token', async () => {
  const t = await ownEngine({}, nothing);
  const client = clientOf(appOn(t));
  for (const id of ['0.1-4711.0', '7.1-1.0', '4711', 'hold_x', '%00', 'a'.repeat(2_000)]) {
    const answer = await client.admin('POST', `/dead-letters/${id}/replay`);
    expectProblem(answer, 'dead_letter_not_found');
  }
  expectProblem(await client.get('/api/admin/dead-letters'), 'unauthorized');
  expectProblem(await client.post('/api/admin/dead-letters/0.1-1.0/replay'), 'unauthorized');
});
