import { bindScript } from '../script.ts';
import { word } from './common.ts';

export const startRebuildScript = bindScript({
  name: 'start_rebuild',
  args: (c: { epoch: number; run: string }) => [c.epoch, c.run],
  reply: (values) => word<'changed' | 'started'>(values),
});
