import { Redis } from 'ioredis';
import { startBare } from './bare.ts';
import { type ApiSettings, PLAIN_STOCK, type RunningApi } from './settings.ts';

/** `bare`, with one DECR for each hold: nothing is checked, kept or given back. */
export async function startPlainDecr({ redisUrl }: ApiSettings): Promise<RunningApi> {
  const redis = new Redis(redisUrl);
  const { port, close } = await startBare(async () => {
    await redis.decr(PLAIN_STOCK);
  });
  return {
    port,
    close: async () => {
      await close();
      redis.disconnect();
    },
  };
}
