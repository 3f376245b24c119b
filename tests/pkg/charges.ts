// What a server asks for by the scheme `Payment`, written and read by the reference library.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { Challenge, Credential } from 'mppx';

import { base64, GOODS, type Json, PAYEE, TRANSACTION, terms, USDC } from './shop.ts';

/** Published, worth nothing anywhere. */
export const SECRET = 'a secret of a shop that is open to everybody';

export type Asked = {
  readonly method?: string;
  readonly intent?: string;
  readonly expires?: string;
  readonly header?: string;
  readonly request?: Json;
  readonly details?: Json;
  /** [the host of the tests' shops] */
  readonly realm?: string;
};

/** ISO time so many seconds from now. */
export function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

/** The value of one `WWW-Authenticate` row; without a word of ours 0.01 USDC on the test network, five minutes long. */
export function challenge({
  method = 'evm',
  intent = 'charge',
  expires = inSeconds(300),
  header,
  request,
  details,
  realm = '127.0.0.1',
}: Asked = {}): string {
  return Challenge.serialize(
    Challenge.from({
      secretKey: SECRET,
      realm,
      method,
      intent,
      expires,
      ...(header === undefined ? {} : { header }),
      request: {
        amount: '10000',
        currency: USDC,
        recipient: PAYEE,
        ...request,
        methodDetails: details ?? { chainId: 84532, credentialTypes: ['authorization'], decimals: 6 },
      },
    } as never),
  );
}

/** A 402 with these rows, and terms of x402 where there are any. */
export function askFor(response: ServerResponse, rows: readonly string[], accepts?: readonly Json[]): void {
  const headers: [string, string][] = rows.map((row) => ['www-authenticate', row]);
  if (accepts !== undefined) headers.push(['payment-required', base64(JSON.stringify(terms(accepts)))]);
  response.writeHead(402, headers.flat()).end();
}

/** The field value with a credential that a request carries. */
export function credentialOf({ headers }: IncomingMessage): string | undefined {
  const values = [headers.authorization, headers['payment-authorization']].flat();
  return values.find((value) => value !== undefined && /^payment /i.test(value));
}

type Read = { readonly challenge: Json; readonly payload: Json; readonly source?: string };

/** The credential, as the reference library reads it; the scheme's name stands there once. */
export function credentialIn(request: IncomingMessage): Read {
  const value = credentialOf(request) ?? assert.fail('no credential');
  assert.match(value, /^Payment [A-Za-z0-9_-]+$/);
  return Credential.deserialize(value) as unknown as Read;
}

/** What was bought, with this receipt. */
export function deliver(response: ServerResponse, change: Json = {}): void {
  const receipt = { method: 'evm', reference: TRANSACTION, status: 'success', timestamp: new Date().toISOString(), ...change };
  const value = Buffer.from(JSON.stringify(receipt)).toString('base64url');
  response.writeHead(200, { 'payment-receipt': value, 'content-type': 'text/plain' }).end(GOODS);
}
