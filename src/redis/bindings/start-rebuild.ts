import { bindScript } from '../script.ts';
import { word } from './common.ts';

export const startRebuildScript = bindScript({
  name: 'start_rebuild',
  args: (c: { epoch: number; run: string; shop: string }) => [c.epoch, c.run, c.shop],
  reply: (values) => word<'changed' | 'started'>(values),
});
