// A scripted exchange, and orders at it: what was asked, sent and signed is kept for the test.

import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach } from 'node:test';

import { type buyJob, JobError } from '../../pkg/dist/agent/index.js';
import { localSigner, type Store, type TypedData } from '../../pkg/dist/index.js';
import { base64, OTHER, PAYEE, PAYER, PAYER_KEY, TRANSACTION, USDC } from './shop.ts';

export type Asked = {
  readonly path: string;
  readonly body: any;
  readonly payment: string | undefined;
  readonly authorization: string | undefined;
};
export type Script = (asked: Asked, response: ServerResponse) => boolean | undefined;

/** The script of a test, which answers in the place of the standard one where it returns true; the exchange's origin; and what was signed. */
export const its: { script: Script; url: string; signed: TypedData[] } = { script: () => undefined, url: '', signed: [] };
/** What was asked, in order. */
export const asked: Asked[] = [];
const server = createServer(async (request, response) => {
  let text = '';
  for await (const piece of request) text += piece;
  const { pathname } = new URL(request.url ?? '', 'http://exchange');
  const one = {
    path: pathname,
    body: text === '' ? undefined : JSON.parse(text),
    payment: request.headers['payment-signature'] as string | undefined,
    authorization: request.headers.authorization,
  };
  asked.push(one);
  if (its.script(one, response) !== true) standard(one, response);
});
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  its.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked.length = 0;
  its.script = () => undefined;
  its.signed = [];
});

export const ID = 'a1'.repeat(32);
export const say = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): true => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  return true;
};
export const quote = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  error: 'Payment Required',
  code: 'PAYMENT_REQUIRED',
  payment_id: ID,
  fingerprint: 'b2'.repeat(32),
  payment_mode: 'x402-escrow',
  network_profile: 'live-testnet',
  pay_to: PAYEE,
  amount: '0.005',
  amount_atomic: '5000',
  currency: 'USDC',
  network: 'eip155:84532',
  chain_id: 84532,
  payment_asset: USDC,
  seller_id: OTHER.toLowerCase(),
  expires_in_seconds: 300,
  accepts: [
    {
      scheme: 'exact',
      network: 'base-sepolia',
      maxAmountRequired: '5000',
      resource: `${its.url}/api/v1/jobs/verify`,
      payTo: PAYEE,
      asset: USDC,
      extra: { payment_id: ID },
    },
  ],
  x402Version: 1,
  ...change,
});
export const required = (payTo = PAYEE): string =>
  base64(
    JSON.stringify({
      x402Version: 2,
      resource: { url: `${its.url}/till/${ID}` },
      accepts: [
        {
          scheme: 'exact',
          network: 'eip155:84532',
          amount: '5000',
          asset: USDC,
          payTo,
          maxTimeoutSeconds: 300,
          extra: { name: 'USDC', version: '2' },
        },
      ],
    }),
  );
export const job = { job_id: 'job-1', job_token: 't'.repeat(43), status: 'paid', settlement_tx_hash: TRANSACTION };

export function standard({ path }: Asked, response: ServerResponse): void {
  if (path.endsWith('/capabilities'))
    say(response, 200, {
      network_profile: 'live-testnet',
      network: 'eip155:84532',
      currency: 'USDC',
      capabilities: [{ capability: 'llm', available_count: 1, min_price: '0.005' }],
    });
  else if (path.endsWith('/quote')) say(response, 402, quote(), { 'payment-required': required() });
  else if (path.endsWith('/verify') || path.startsWith('/till/')) say(response, 200, job);
  else say(response, 200, { job_id: 'job-1', status: 'done', result: { text: 'done' } });
}

export const signer = {
  address: async () => PAYER,
  sign: async (typedData: TypedData) => {
    its.signed.push(typedData);
    return localSigner(PAYER_KEY).sign(typedData);
  },
};
export const order = (more: Partial<Parameters<typeof buyJob>[0]> = {}): Parameters<typeof buyJob>[0] => ({
  url: its.url,
  profile: 'live-testnet',
  capability: 'llm',
  prompt: 'hello',
  maxAmount: '0.01',
  signer,
  feed: false,
  timeoutMs: 15_000,
  ...more,
});
export const payments = (): string[] => asked.map(({ payment }) => payment).filter((payment) => payment !== undefined);
export const failure = async (bought: Promise<unknown>): Promise<JobError> => {
  const error = await bought.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof JobError, String(error));
  return error;
};

/** The nonces that were sent, each of which the token charges once, and the quote's id of a turn. */
export const nonces = (): Set<string> =>
  new Set(payments().map((payment) => JSON.parse(Buffer.from(payment, 'base64').toString()).payload.authorization.nonce));
export const idOf = (turn: number): string => `${'a1'.repeat(31)}${String(turn).padStart(2, '0')}`;
/** A quote of its own each time: the next one at another price, in another token, or with more members. */
export const quotedAs = (
  turn: number,
  { amount = '0.005', units = '5000', asset = USDC }: { amount?: string; units?: string; asset?: string } = {},
  response: ServerResponse,
  more: Record<string, unknown> = {},
): true => {
  const id = idOf(turn);
  const [accepted] = quote()['accepts'] as [Record<string, unknown>];
  const entry = {
    scheme: 'exact',
    network: 'eip155:84532',
    amount: units,
    asset,
    payTo: PAYEE,
    maxTimeoutSeconds: 300,
    extra: { name: 'USDC', version: '2' },
  };
  const terms = base64(JSON.stringify({ x402Version: 2, resource: { url: `${its.url}/till/${id}` }, accepts: [entry] }));
  return say(
    response,
    402,
    quote({
      payment_id: id,
      amount,
      amount_atomic: units,
      payment_asset: asset,
      accepts: [{ ...accepted, maxAmountRequired: units, asset, extra: { payment_id: id } }],
      ...more,
    }),
    { 'payment-required': terms },
  );
};

/** What was signed for each nonce, by the order in which it was sent. */
export const ends = (): number[] =>
  [...new Set(payments())].map((payment) =>
    Number(JSON.parse(Buffer.from(payment, 'base64').toString()).payload.authorization.validBefore),
  );

/** Another process: the same record behind a store of its own. */
export const apart = (store: Store): Store => ({ read: () => store.read(), replace: (version, text) => store.replace(version, text) });
/** A promise that is kept from outside. */
export const latch = <T>(): { readonly comes: Promise<T>; readonly opens: (value: T) => void } => {
  let opens: (value: T) => void = () => undefined;
  const comes = new Promise<T>((resolve) => {
    opens = resolve;
  });
  return { comes, opens };
};
/** A wallet that signs once it is let. */
export const waiting = (): { readonly asks: Promise<void>; readonly go: () => void; readonly wallet: typeof signer } => {
  const [asks, lets] = [latch<void>(), latch<void>()];
  const sign = async (typedData: TypedData): Promise<string> => {
    asks.opens();
    await lets.comes;
    return signer.sign(typedData);
  };
  return { asks: asks.comes, go: () => lets.opens(), wallet: { address: signer.address, sign } };
};
