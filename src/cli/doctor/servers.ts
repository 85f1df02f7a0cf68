import { hotClient } from '../../redis/client.ts';
import { LaneLink } from '../../redis/link.ts';
import { Unreachable } from '../connect.ts';

/** Runs `work` on a connection to Redis, and closes it. Throws `Unreachable` where there is none. */
export async function withLink<T>(
  redisUrl: string,
  work: (link: LaneLink) => Promise<T>,
): Promise<T> {
  const redis = hotClient(redisUrl);
  let reason = '';
  redis.on('error', (error: Error) => {
    reason = error.message;
  });
  const link = new LaneLink(redis);
  try {
    await link.connect().catch((error: Error) => {
      const { host, port } = redis.options;
      const why = reason || error.message;
      throw new Unreachable(`cannot reach Redis at ${host}:${port} (REDIS_URL): ${why}`);
    });
    return await work(link);
  } finally {
    redis.disconnect();
  }
}
