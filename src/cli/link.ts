import { hotClient, reach } from '../redis/client.ts';
import { LaneLink } from '../redis/link.ts';

/** Runs `work` on a connection to Redis, and closes it. Throws `Unavailable` where there is none. */
export async function withLink<T>(
  redisUrl: string,
  work: (link: LaneLink) => Promise<T>,
): Promise<T> {
  const redis = hotClient(redisUrl);
  try {
    const link = new LaneLink(redis);
    await reach(redis, () => link.connect());
    return await work(link);
  } finally {
    redis.disconnect();
  }
}
