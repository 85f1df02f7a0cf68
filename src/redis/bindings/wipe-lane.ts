import { bindScript } from '../script.ts';
import { word } from './common.ts';

export const wipeLaneScript = bindScript({
  name: 'wipe_lane',
  args: (c: { epoch: number; run: string; suffixes: string[] }) => [
    c.epoch,
    c.run,
    JSON.stringify(c.suffixes),
  ],
  reply: (values) => word<'stale' | 'wiped'>(values),
});
