import { expect, test } from 'vitest';
import { clientAddress } from '../../src/http/client-address.ts';

const PROXY = '10.0.0.1';

test.for<[string, string]>([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['2001:DB8:0001:0002::99', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
])('the client of a socket from %s is %s', ([address, client]) => {
  expect(clientAddress(address, undefined, 0)).toBe(client);
});

test('without trusted proxies the header is ignored', () => {
  expect(clientAddress('203.0.113.7', '198.51.100.1', 0)).toBe('203.0.113.7');
});

test.for<[header: string, hops: number, client: string]>([
  ['203.0.113.7', 1, '203.0.113.7'],
  // What the client sent itself stands on the left.
  ['198.51.100.1, 203.0.113.7', 1, '203.0.113.7'],
  ['198.51.100.1,198.51.100.2,203.0.113.7,10.0.0.2', 2, '203.0.113.7'],
  ['198.51.100.1 , 203.0.113.7\t, 10.0.0.2', 2, '203.0.113.7'],
  ['203.0.113.7, 10.0.0.3, 10.0.0.2', 3, '203.0.113.7'],
  ['203.0.113.7:4711', 1, '203.0.113.7'],
  ['[2001:db8:1:2::7]:4711', 1, '2001:db8:1:2::/64'],
  ['[2001:db8:1:2::7]', 1, '2001:db8:1:2::/64'],
  ['2001:db8:1:2::7', 1, '2001:db8:1:2::/64'],
  ['::ffff:203.0.113.7', 1, '203.0.113.7'],
  ['::ffff:cb00:7107', 1, '203.0.113.7'],
])('in "%s" behind %i proxies the client is %s', ([header, hops, client]) => {
  expect(clientAddress(PROXY, header, hops)).toBe(client);
});

test.for<[header: string | undefined, hops: number]>([
  [undefined, 1],
  ['', 1],
  ['203.0.113.7', 2],
  ['203.0.113.7, 10.0.0.2', 16],
  [', 10.0.0.2', 2],
  [',,,,', 3],
  [',', 2],
  ['unknown', 1],
  ['_hidden', 1],
  ['203.0.113.7 198.51.100.1', 1],
  ['203.0.113.999', 1],
  ['203.0.113', 1],
  ['0xcb007107', 1],
  ['"203.0.113.7"', 1],
  ['[]', 1],
  ['[2001:db8::7', 1],
  ['2001:db8::7::1', 1],
  ['::1]/evil#', 1],
  ['203.0.113.7, address:x', 1],
])('where "%s" has no address %i from the right, it is the socket', ([header, hops]) => {
  expect(clientAddress(PROXY, header, hops)).toBe(PROXY);
});

test('of a socket that is gone already nothing is known', () => {
  expect(clientAddress(undefined, '203.0.113.7', 0)).toBe('unknown');
});
