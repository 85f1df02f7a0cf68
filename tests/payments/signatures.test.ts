import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { standardSignatures } from '../../src/payments/signatures.ts';
import { stripeSignatures } from '../../src/payments/stripe-signatures.ts';

const BODY = '{"order_id":"order_1","reference":"r1","status":"success","buyer":"Żółw"}';
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

type Headers = Record<string, string>;
const headerOf = (headers: Headers) => (name: string) => headers[name];

function standard(secret: string, at = new Date(), body = BODY): Headers {
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
  };
}

function stripe(secret: string, at = new Date(), payload = BODY): Headers {
  const timestamp = Math.floor(at.getTime() / 1_000);
  const header = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  return { 'stripe-signature': header };
}

describe.each([
  ['Standard Webhooks', standardSignatures, standard],
  ['Stripe', stripeSignatures, stripe],
] as const)('signatures of %s', (_, signatures, sign) => {
  const [secret, next] = [newSecret(), newSecret()];
  const verify = signatures([secret, next]);
  const isTaken = (headers: Headers, body = BODY) => verify(Buffer.from(body), headerOf(headers));

  test('are taken by each of the secrets, so that one can follow the other', () => {
    expect(isTaken(sign(secret))).toBe(true);
    expect(isTaken(sign(next))).toBe(true);
    expect(isTaken(sign(newSecret()))).toBe(false);
  });

  test('are of these very bytes', () => {
    expect(isTaken(sign(secret), BODY.replace('success', 'failed'))).toBe(false);
    expect(isTaken(sign(secret), `${BODY} `)).toBe(false);
    expect(isTaken(sign(secret), '')).toBe(false);
    expect(isTaken(sign(secret, new Date(), ''), '')).toBe(true);
    expect(isTaken(sign(secret, new Date(), 'no JSON'), 'no JSON')).toBe(true);
  });

  test('are five minutes old at most', () => {
    expect(isTaken(sign(secret, minutesAgo(4.9)))).toBe(true);
    expect(isTaken(sign(secret, minutesAgo(5.1)))).toBe(false);
    expect(isTaken(sign(secret, minutesAgo(60 * 24 * 365)))).toBe(false);
  });

  test('that are missing or broken are refused', () => {
    expect(isTaken({})).toBe(false);
    for (const name of Object.keys(sign(secret))) {
      const { [name]: taken, ...rest } = sign(secret);
      expect(taken).toBeDefined();
      expect(isTaken(rest)).toBe(false);
      for (const broken of ['', 'v1', 'v1,', 'v1,Zm9v', 't=1,v1=', 'null', taken?.slice(1)]) {
        expect(isTaken({ ...rest, [name]: broken ?? '' }), `${name}: ${broken}`).toBe(false);
      }
    }
  });
});

test('one of several signatures of Standard Webhooks is enough', () => {
  const [secret, next] = [newSecret(), newSecret()];
  const headers = standard(secret);
  const both = `${headers['webhook-signature']} ${standard(next)['webhook-signature']} v1a,x`;
  const verify = standardSignatures([next]);
  expect(verify(Buffer.from(BODY), headerOf({ ...headers, 'webhook-signature': both }))).toBe(true);
});

test('a timestamp of Standard Webhooks may not be of the future either', () => {
  const secret = newSecret();
  const verify = standardSignatures([secret]);
  expect(verify(Buffer.from(BODY), headerOf(standard(secret, minutesAgo(-4.9))))).toBe(true);
  expect(verify(Buffer.from(BODY), headerOf(standard(secret, minutesAgo(-5.2))))).toBe(false);
});
