import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { isReply } from './client.ts';

const luaFolder = new URL('../../lua/', import.meta.url);

/** A script with its includes spelled out, as the server gets it. */
export function loadScript(name: string, folder: URL = luaFolder): string {
  const included = new Set<string>();
  const expand = (text: string): string =>
    text.replace(/^--@include (\w+)$/gm, (_, fragment: string) => {
      if (included.has(fragment)) return '';
      included.add(fragment);
      return expand(readFileSync(new URL(`include/${fragment}.lua`, folder), 'utf8'));
    });
  return expand(readFileSync(new URL(`${name}.lua`, folder), 'utf8'));
}

/** What a script may answer with inside its flat reply. */
export type ReplyValue = string | number | null | ReplyValue[];
export type Argument = string | number;

/** Turns named arguments into ARGV and a reply into a typed value: the only cast between the two. */
export interface ScriptBinding<Arguments, Reply> {
  name: string;
  args: (values: Arguments) => Argument[];
  reply: (values: ReplyValue[]) => Reply;
}

export interface Script<Arguments, Reply> extends ScriptBinding<Arguments, Reply> {
  text: string;
  /** Runs the script on the lane behind `laneKey`. Sent once more only if the server lacked it. */
  run: (redis: Redis, laneKey: string, values: Arguments) => Promise<Reply>;
}

export function bindScript<Arguments, Reply>(
  binding: ScriptBinding<Arguments, Reply>,
): Script<Arguments, Reply> {
  const text = loadScript(binding.name);
  const sha = createHash('sha1').update(text).digest('hex');
  const run = async (redis: Redis, laneKey: string, values: Arguments): Promise<Reply> => {
    const args = binding.args(values);
    let reply: unknown;
    try {
      reply = await redis.evalsha(sha, 1, laneKey, ...args);
    } catch (error) {
      // NOSCRIPT means that nothing ran; any other failure may have run, and is not repeated.
      if (!isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
      reply = await redis.eval(text, 1, laneKey, ...args);
    }
    return binding.reply(reply as ReplyValue[]);
  };
  return { ...binding, text, run };
}
