import { Webhook, WebhookVerificationError } from 'standardwebhooks';

/** Whether the raw body of a webhook was signed, by its headers, with one of the shop's secrets. */
export type VerifySignature = (
  body: Buffer,
  header: (name: string) => string | undefined,
) => boolean;

/** How the webhooks of one kind are taken. */
export type Signing =
  | { kind: 'signed'; verify: VerifySignature }
  /** For development only. */
  | { kind: 'unsigned' }
  /** There is no such webhook. */
  | { kind: 'off' };

export interface WebhookSigning {
  standard: Signing;
  stripe: Signing;
}

export const UNSIGNED: WebhookSigning = {
  standard: { kind: 'unsigned' },
  stripe: { kind: 'unsigned' },
};

const HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/** Whether a text can be a secret of Standard Webhooks: base64 of 24 to 64 bytes. */
export function isWebhookSecret(text: string): boolean {
  const base64 = text.replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) return false;
  const { length } = Buffer.from(base64, 'base64');
  return length >= 24 && length <= 64;
}

/**
 * Verifies webhooks signed with any of these secrets, so that one can follow the other without a
 * gap. A timestamp more than five minutes from now is refused; secrets are compared in constant time.
 *
 * Source: https://www.standardwebhooks.com
 */
export function standardSignatures(secrets: readonly string[]): VerifySignature {
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return (body, header) => {
    const headers = Object.fromEntries(HEADERS.map((name) => [name, header(name) ?? '']));
    return webhooks.some((webhook) => {
      try {
        webhook.verify(body, headers, { jsonParse: false });
        return true;
      } catch (error) {
        if (error instanceof WebhookVerificationError) return false;
        throw error;
      }
    });
  };
}
