// A facilitator that moves money on the simulation's chain, and fails as real ones do: late, half, or with the answer lost.
//
// What it does with a payment is told beforehand, by the payment's nonce; a second send of the same is served well.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type Hex, recoverTypedDataAddress } from 'viem';

import { KEPT_MS } from '../../demo/server.mjs';
import { type Authorization, type Terms, TRANSFER_TYPES } from '../worker/support/payer.ts';
import type { Chain, Refusal, Transfer } from './chain.ts';

/** What becomes of a settle call, and of the money. */
export const SETTLES = [
  'good',
  'lost',
  'late',
  'slow',
  'silent',
  'moves later',
  'fails before',
  'fails after',
  'refuses',
  'garbled',
  'names another',
] as const;
export type Settle = (typeof SETTLES)[number];
export const VERIFIES = ['good', 'refuses', 'silent', 'lost', 'fails'] as const;
export type Verify = (typeof VERIFIES)[number];

export type Plan = { readonly verify: Verify; readonly settle: Settle; readonly repeats: 'told' | 'refused' };

type Asked = { readonly authorization: Authorization; readonly signature: Hex; readonly terms: Terms };

/** Longer than the gate waits for a settlement or a verification. */
const LATE_MS = 2_600;
const SLOW_MS = 600;
const GOOD: Plan = { verify: 'good', settle: 'good', repeats: 'told' };

export class Facilitator {
  readonly url: string;
  /** By nonce, with `0x` and in lower case. */
  readonly plans = new Map<string, Plan>();
  readonly #server: Server;
  readonly #chain: Chain;
  readonly #seen = new Set<string>();

  private constructor(server: Server, chain: Chain) {
    this.#server = server;
    this.#chain = chain;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(chain: Chain): Promise<Facilitator> {
    const server = createServer({ keepAliveTimeout: KEPT_MS });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Facilitator(server, chain);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (request.method === 'GET') return json(response, { kinds: KINDS, extensions: [], signers: {} });
    const asked = readAsked(Buffer.concat(pieces).toString('utf8'));
    if (asked === undefined) return json(response, { error: 'no authorization' }, 400);
    const { nonce } = asked.authorization;
    const operation = request.url?.endsWith('/verify') ? 'verify' : 'settle';
    const plan = this.plans.get(nonce.toLowerCase()) ?? GOOD;
    const isFirst = !this.#seen.has(`${operation} ${nonce}`);
    this.#seen.add(`${operation} ${nonce}`);
    if (operation === 'verify') return this.#verify(asked, isFirst ? plan.verify : 'good', request, response);
    return this.#settle(asked, isFirst ? plan.settle : 'good', plan, request, response);
  }

  async #verify(asked: Asked, how: Verify, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { from, nonce, value } = asked.authorization;
    if (how === 'silent') return;
    if (how === 'lost') return void request.socket.destroy();
    if (how === 'fails') return json(response, { error: 'out of order' }, 500);
    const reason =
      (await judged(asked)) ??
      (this.#chain.useOf(from, nonce)
        ? 'authorization_used'
        : this.#chain.balanceOf(from as Hex) < BigInt(value)
          ? 'insufficient_funds'
          : undefined);
    if (how === 'refuses' || reason !== undefined)
      return json(response, { isValid: false, invalidReason: REASONS[reason ?? 'insufficient_funds'], payer: from });
    return json(response, { isValid: true, payer: from });
  }

  async #settle(asked: Asked, how: Settle, plan: Plan, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (how === 'silent') return;
    if (how === 'fails before') return json(response, { error: 'out of order' }, 503);
    if (how === 'refuses') return json(response, refusal(asked, 'insufficient_funds'));
    if (how === 'moves later') await sleep(LATE_MS);
    if (how === 'slow') await sleep(SLOW_MS);
    const said = (await judged(asked)) ?? this.#moved(asked, plan);
    const answer = typeof said === 'string' ? refusal(asked, said) : success(asked, said);
    if (how === 'lost' || how === 'moves later') return void request.socket.destroy();
    if (how === 'fails after') return json(response, { error: 'out of order' }, 500);
    if (how === 'garbled') return json(response, `${JSON.stringify(answer).slice(0, 40)}`);
    if (how === 'names another') return json(response, { ...answer, transaction: `0x${'ab'.repeat(32)}`, payer: asked.terms.payTo });
    if (how === 'late') await sleep(LATE_MS);
    return json(response, answer);
  }

  #moved({ authorization, signature }: Asked, { repeats }: Plan): Transfer | Refusal {
    const before = this.#chain.useOf(authorization.from, authorization.nonce);
    if (before !== undefined && repeats === 'told') return before;
    return this.#chain.use({ authorization, signature });
  }
}

/** Whether the payment is signed by its payer, for what the request asks. */
async function judged({ authorization, signature, terms }: Asked): Promise<Refusal | undefined> {
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  const domain = { name: terms.extra.name, version: terms.extra.version, chainId: 84_532, verifyingContract: terms.asset };
  const signer = await recoverTypedDataAddress({
    domain,
    types: TRANSFER_TYPES,
    primaryType: 'TransferWithAuthorization',
    signature,
    message: {
      from: from as Hex,
      to: to as Hex,
      value: BigInt(value),
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore),
      nonce: nonce as Hex,
    },
  }).catch(() => '0x');
  const isMeant = signer.toLowerCase() === from.toLowerCase() && to.toLowerCase() === terms.payTo.toLowerCase() && value === terms.amount;
  return isMeant ? undefined : 'value_or_payee';
}

function readAsked(text: string): Asked | undefined {
  try {
    const { paymentPayload, paymentRequirements } = JSON.parse(text) as {
      paymentPayload: { payload: { authorization: Authorization; signature: Hex } };
      paymentRequirements: Terms & { maxAmountRequired?: string };
    };
    const { authorization, signature } = paymentPayload.payload;
    return {
      authorization,
      signature,
      terms: { ...paymentRequirements, amount: paymentRequirements.amount ?? paymentRequirements.maxAmountRequired ?? '' },
    };
  } catch {
    return undefined;
  }
}

function success({ authorization }: Asked, { hash }: Transfer): Record<string, unknown> {
  return { success: true, payer: authorization.from, transaction: hash, network: 'eip155:84532' };
}

function refusal({ authorization }: Asked, why: Refusal): Record<string, unknown> {
  return { success: false, errorReason: REASONS[why], payer: authorization.from, transaction: '', network: 'eip155:84532' };
}

const REASONS: Readonly<Record<Refusal, string>> = {
  insufficient_funds: 'insufficient_funds',
  authorization_used: 'invalid_transaction_state',
  authorization_expired: 'invalid_exact_evm_payload_authorization_valid_before',
  value_or_payee: 'invalid_payload',
};
const KINDS = [
  { x402Version: 2, scheme: 'exact', network: 'eip155:84532' },
  { x402Version: 1, scheme: 'exact', network: 'base-sepolia' },
];

function json(response: ServerResponse, body: unknown, status = 200): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
