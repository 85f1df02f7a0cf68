import { setTimeout as pause } from 'node:timers/promises';
import { answerOf } from '../history.ts';
import { ALL_ROLES, ROLES_BUT_API } from '../world.ts';
import { NOTHING_LOST, type Row, type Stage } from './row.ts';

const world = { processes: [ALL_ROLES, ALL_ROLES] };
/** Where the writer is near, nobody who waits rings for it. */
const apart = { processes: ['api', 'api', ROLES_BUT_API, ROLES_BUT_API] };
/** Up to 10,000 due at once are back within a second. */
const UNITS_BACK = { ...NOTHING_LOST, backWithinMs: 1_000 };

export const scriptFlush: Row = {
  name: 'script-flush',
  what: 'SCRIPT FLUSH, 50 times a second for 2 s',
  expected: 'nobody notices: no request is answered 503',
  rules: NOTHING_LOST,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world, sale, broken }) => {
    const sinceMs = Date.now();
    for (let times = 100; times > 0; times -= 1) {
      await world.control.script('FLUSH');
      await pause(20);
    }
    const noticed = sale.history.operations
      .flatMap(({ attempts }) => attempts)
      .filter((it) => it.invokedAtMs >= sinceMs && it.endedAtMs < Infinity)
      .filter(({ outcome }) => outcome === 'unknown');
    if (noticed.length > 0)
      broken(`${noticed.length} requests noticed, the first: ${told(noticed)}`);
  },
};

const told = ([first]: { status: number; body: { detail?: string }; error?: string }[]) =>
  `${first?.status} ${first?.body.detail ?? first?.error}`;

async function deleteBullKeys({ world: { control } }: Stage): Promise<number> {
  let deleted = 0;
  for await (const keys of control.scanStream({ match: '{hf}:bull*', count: 1_000 })) {
    if ((keys as string[]).length > 0) deleted += await control.unlink(keys as string[]);
  }
  return deleted;
}

export const doorbellLost: Row = {
  name: 'doorbell-lost',
  what: "all of BullMQ's keys are deleted, ten times within 3 s",
  expected: 'the plain timer drains within a second, so that orders go on',
  rules: NOTHING_LOST,
  world: apart,
  crowd: true,
  composable: true,
  strike: async (stage) => {
    let deleted = 0;
    for (let times = 10; times > 0; times -= 1) {
      deleted += await deleteBullKeys(stage);
      await pause(300);
    }
    if (deleted === 0) stage.broken('BullMQ had no keys: nothing was tested');
    await stage.recovered();
  },
};

export const notificationsOff: Row = {
  name: 'notifications-off',
  what: 'keyspace notifications are switched off and subscribers cut, again and again for 4 s',
  expected: 'the sweeper alone brings units back within a second',
  rules: UNITS_BACK,
  world,
  crowd: true,
  composable: true,
  strike: async ({ world: { control }, recovered }) => {
    for (let times = 20; times > 0; times -= 1) {
      await control.config('SET', 'notify-keyspace-events', '');
      if (times % 5 === 0) await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await pause(200);
    }
    await recovered();
  },
};

/** What must work at maxmemory: a hold and an order made before it, given back and paid during it. */
async function atMaxmemory(stage: Stage): Promise<void> {
  const { world, sale, probe, broken } = stage;
  const items = [{ product_id: probe.id, qty: 1 }];
  // Of this time only: a row may run several times in one sale.
  const time = sale.history.operations.length;
  const hold = async (name: string) => {
    const made = await sale.ask('prober', { kind: 'hold', items, buyer: name, key: name });
    return answerOf(made)?.body.hold_id ?? '';
  };
  const [one, other] = [await hold(`memory-release-${time}`), await hold(`memory-order-${time}`)];
  const order = await sale.ask('prober', { kind: 'order', hold_id: other });
  const order_id = answerOf(order)?.body.order_id ?? '';
  await world.control.config('SET', 'maxmemory', '1mb');
  const refused = await sale.ask('prober', { kind: 'hold', items, buyer: 'memory-none' });
  if (refused.attempts.at(-1)?.status !== 503) broken('a hold was not answered 503 at maxmemory');
  const given = await sale.ask('prober', { kind: 'release', hold_id: one });
  if (answerOf(given)?.outcome !== 'ok') broken('a hold could not be released at maxmemory');
  const event = { order_id, reference: `memory-pay-${time}`, status: 'success' as const };
  const paid = await sale.ask('provider', { kind: 'pay', ...event });
  if (answerOf(paid)?.body.status !== 'applied') broken('an order could not be paid at maxmemory');
}

export const maxmemory: Row = {
  name: 'maxmemory',
  what: 'maxmemory is set below what Redis uses, for 4 s',
  expected: 'holds are answered 503; release, expire and settle still work',
  rules: UNITS_BACK,
  world,
  crowd: true,
  composable: true,
  strike: async (stage) => {
    const { world, recovered } = stage;
    try {
      await atMaxmemory(stage);
      await pause(4_000);
    } finally {
      await world.control.config('SET', 'maxmemory', '0');
    }
    await recovered();
  },
};
