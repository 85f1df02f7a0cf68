import { bindScript } from '../script.ts';
import { word } from './common.ts';

export const closeLaneScript = bindScript({
  name: 'close_lane',
  args: (c: { epoch: number; run: string }) => [c.epoch, c.run],
  reply: (values) => word<'changed' | 'closed'>(values),
});
