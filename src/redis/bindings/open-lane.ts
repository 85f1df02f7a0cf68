import { bindScript } from '../script.ts';
import { word } from './common.ts';

interface OpenLane {
  epoch: number;
  run: string;
  expectedState: string;
  expectedRun: string;
  expectedTail: string;
  cap: number;
}

export const openLaneScript = bindScript({
  name: 'open_lane',
  args: (c: OpenLane) => [c.epoch, c.run, c.expectedState, c.expectedRun, c.expectedTail, c.cap],
  reply: (values) => word<'changed' | 'opened'>(values),
});
