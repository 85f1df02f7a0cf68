import Stripe from 'stripe';
import type { VerifySignature } from './signatures.ts';

const TOLERANCE_SECONDS = 300;

/**
 * Verifies Stripe's events with any of these secrets, so that one can follow the other without a
 * gap. Timestamps over five minutes old are refused; secrets are compared in constant time.
 *
 * Source: https://docs.stripe.com/webhooks/signature
 */
export function stripeSignatures(secrets: readonly string[]): VerifySignature {
  return (body, header) => {
    const signature = header('stripe-signature') ?? '';
    return secrets.some((secret) => {
      try {
        const isSigned = Stripe.webhooks.signature?.verifyHeader(
          body,
          signature,
          secret,
          TOLERANCE_SECONDS,
        );
        return isSigned === true;
      } catch {
        // It throws several classes, of signatures that are none as well.
        return false;
      }
    });
  };
}
