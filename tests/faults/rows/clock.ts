import { ALL_ROLES } from '../world.ts';
import { NOTHING_LOST, type Row } from './row.ts';

const OFFSET_KEY = 'clock-offset-ms';
/** At the end ahead of all: what was promised by the other clocks is due then. */
const OFFSETS_MS = [60_000, 0, -60_000, 0, 61_000];
const OFFSETS_SHORT_MS = [60_000, 0, 61_000];

export const clockJump: Row = {
  name: 'clock-jump',
  what: "the server's clock jumps 60 s ahead and back, 60 s back and ahead",
  expected: 'no unit is given back twice, no counter is negative',
  rules: { ...NOTHING_LOST, clockJumps: true },
  world: { processes: [ALL_ROLES, ALL_ROLES] },
  crowd: true,
  patches: [
    {
      file: 'lua/include/clock.lua',
      from: 'math.floor(server_time[2] / 1000)',
      to: `math.floor(server_time[2] / 1000) + tonumber(redis.call('GET', '${OFFSET_KEY}') or 0)`,
    },
  ],
  strike: async ({ world: { control }, sale, isShort, recovered }) => {
    for (const offsetMs of isShort ? OFFSETS_SHORT_MS : OFFSETS_MS) {
      await control.set(OFFSET_KEY, offsetMs);
      await recovered();
      await sale.more(0.1);
    }
  },
};
