import { bindScript } from '../script.ts';
import { word } from './common.ts';

export const openLaneScript = bindScript({
  name: 'open_lane',
  args: (c: { epoch: number; run: string; expectedRun: string; cap: number }) => [
    c.epoch,
    c.run,
    c.expectedRun,
    c.cap,
  ],
  reply: (values) => word<'changed' | 'opened'>(values),
});
