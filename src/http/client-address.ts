import { isIP, isIPv6 } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

/** Of an IPv6 address, what a customer is given whole: 64 bits, as four of eight groups. */
const PREFIX_GROUPS = 4;

// Without the whole list being taken apart: a client may have sent thousands of entries.
function entryFromRight(list: string, position: number): string {
  let end = list.length;
  for (let skipped = 1; skipped < position; skipped += 1) {
    end = list.lastIndexOf(',', end - 1);
    if (end <= 0) return '';
  }
  return list.slice(list.lastIndexOf(',', end - 1) + 1, end).trim();
}

// Some proxies write `203.0.113.7:4711` and `[2001:db8::7]:4711`.
function withoutPort(entry: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(entry) ?? [];
  return bracketed ?? entry.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
}

function groupsOf(address: string): number[] {
  // The URL parser writes an embedded IPv4 address as two groups.
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, '')}]`);
  const [head = '', tail] = hostname.slice(1, -1).split('::');
  const parse = (text: string) =>
    text === '' ? [] : text.split(':').map((it) => parseInt(it, 16));
  const [left, right] = [parse(head), parse(tail ?? '')];
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function ipv6Client(address: string): string {
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(6);
  // An IPv4 client of a socket that listens on both, `::ffff:203.0.113.7`.
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const prefix = groups.slice(0, PREFIX_GROUPS).map((group) => group.toString(16));
  return `${prefix.join(':')}::/64`;
}

function clientOf(address: string): string | undefined {
  if (isIPv6(address)) return ipv6Client(address);
  return isIP(address) === 4 ? address : undefined;
}

/**
 * Who sent a request: an IPv4 address, or the /64 of an IPv6 one, whose 2^64 addresses are one
 * customer's. `socketAddress` is the other end of the connection. Behind `hops` proxies it is the
 * entry that the outermost of them has appended to `X-Forwarded-For`, the `hops`-th from the right:
 * all that stands left of it the client may have made up. Where there is no such entry, or no
 * address in it, it is the socket's.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
  hops: number,
): string {
  const forwarded = hops > 0 && forwardedFor ? entryFromRight(forwardedFor, hops) : '';
  return clientOf(withoutPort(forwarded)) ?? clientOf(socketAddress ?? '') ?? 'unknown';
}

/** The same, of a request that Node has taken. */
export function addressOf(c: Context, hops: number): string {
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
  // Node joins the lines of a repeated X-Forwarded-For.
  const forwardedFor = incoming?.headers['x-forwarded-for']?.toString();
  return clientAddress(incoming?.socket.remoteAddress, forwardedFor, hops);
}
