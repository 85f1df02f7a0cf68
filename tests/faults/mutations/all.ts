import { apiSigkill } from '../rows/processes.ts';
import { rebuilderPaused } from '../rows/rebuilder.ts';
import { oldSnapshotOvertaken } from '../rows/redis-data.ts';
import { redisSlow, replyDropped } from '../rows/redis-network.ts';
import { scriptFlush } from '../rows/redis-service.ts';
import type { Row } from '../rows/row.ts';
import type { Patch } from './patch.ts';

/** A broken engine that the checker must catch. */
export interface Mutation {
  name: string;
  what: string;
  /** The row that brings it to light. */
  row: Row;
  /** Whether the short form of the row is too gentle to be sure. */
  needsFullForm?: boolean;
  patches: readonly Patch[];
}

const CLIENT = 'dist/redis/client.js';
const JUDGE = 'dist/recovery/judge.js';

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'index-member-stays',
    what: 'expire and reclaim give units back without removing the index member',
    row: scriptFlush,
    patches: [
      {
        file: 'lua/include/transition.lua',
        from: '    due_removed[#due_removed + 1] = member\n',
        to: "    if to ~= 'expired' then due_removed[#due_removed + 1] = member end\n",
      },
    ],
  },
  {
    name: 'no-chain-check',
    what: 'nobody checks the chain, nor whether Redis is behind the watermark',
    row: oldSnapshotOvertaken,
    patches: [
      { file: 'dist/writer/read-batch.js', from: 'if (id !== expected) {', to: 'if (false) {' },
      { file: 'dist/writer/read-batch.js', from: 'if (entry.prev !== call) {', to: 'if (false) {' },
      { file: JUDGE, from: 'if (found.sequence < watermark.sequence)', to: 'if (false)' },
      { file: JUDGE, from: 'if (found.tail === watermark.call)', to: 'if (true)' },
    ],
  },
  {
    name: 'default-resend',
    what: "ioredis' defaults: an offline queue, and scripts sent again when their reply is lost",
    row: replyDropped,
    needsFullForm: true,
    patches: [
      { file: CLIENT, from: 'enableOfflineQueue: false,', to: '' },
      { file: CLIENT, from: 'autoResendUnfulfilledCommands: false,', to: '' },
      { file: CLIENT, from: 'maxRetriesPerRequest: 0,', to: '' },
    ],
  },
  {
    name: 'acknowledged-before-commit',
    what: 'calls are published before MySQL has committed them',
    row: apiSigkill,
    patches: [
      {
        file: 'dist/writer/drain.js',
        from: '        const committed = await commitEntries(',
        to:
          "        const early = entries.map((entry) => entry.call).join(' ');\n" +
          '        await this.#options.redis.publish(commitsChannel(this.#lane), early);\n' +
          '        const committed = await commitEntries(',
      },
    ],
  },
  {
    name: 'acknowledged-by-any-message',
    what: 'a waiter is woken by any commit, not by that of its own call',
    row: apiSigkill,
    patches: [
      {
        file: 'dist/writer/acks.js',
        from: 'of waiting.get(call) ?? []',
        to: 'of [...waiting.values()].flatMap((all) => [...all])',
      },
    ],
  },
  {
    name: 'gives-back-twice',
    what: 'a failed payment gives the units of its order back twice',
    row: scriptFlush,
    patches: [
      {
        file: 'lua/settle.lua',
        from: "    transition(record, 'cancelled', {reference = reference})\n",
        to:
          "    transition(record, 'cancelled', {reference = reference})\n" +
          "    move_units(record.items, 'pending', 'available')\n",
      },
    ],
  },
  {
    name: 'late-scripts-run',
    what: 'scripts run although their caller has given up',
    row: redisSlow,
    patches: [
      { file: 'lua/hold.lua', from: 'if now_ms > tonumber(late_ms) then', to: 'if false then' },
    ],
  },
  {
    name: 'forgets-keys',
    what: 'the first effect under an Idempotency-Key is not remembered',
    row: replyDropped,
    needsFullForm: true,
    patches: [
      {
        file: 'lua/hold.lua',
        from: "  if key ~= '' then\n    remember(",
        to: '  if false then\n    remember(',
      },
    ],
  },
  {
    name: 'rebuild-without-epoch',
    what: 'the steps of a rebuild do not check its epoch',
    row: rebuilderPaused,
    patches: [
      {
        file: 'lua/include/rebuilding.lua',
        from: "return lane[1] == 'rebuilding' and lane_epoch == epoch and lane[3] == run",
        to: 'return true',
      },
    ],
  },
];
