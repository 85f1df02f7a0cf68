import { bindScript } from '../script.ts';
import { word } from './common.ts';

export const trimScript = bindScript({
  name: 'trim',
  args: (c: { epoch: number; persisted: number; minId: string }) => [c.epoch, c.persisted, c.minId],
  reply: (values) => word<'stale' | 'trimmed'>(values),
});
