/** A merchant that asks for payments, and keeps them waiting or breaks off where a test says so. It settles nothing, and says that it did. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { KEPT_MS } from '../../../demo/server.mjs';
import { requestText } from '../../support/mpp-wire.ts';

export type Paid = {
  readonly method: string;
  readonly path: string;
  readonly payment: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};
/** What is done with the n-th payment (from 0) of a path. */
export type Script = (turn: number, response: ServerResponse, paid: Paid) => void;

export class Merchant {
  readonly paid: Paid[] = [];
  readonly scripts = new Map<string, Script>();
  url = '';
  /** Whether it publishes keys, as a gate does that answers for its past payments. */
  keys = false;
  readonly #server = createServer({ keepAliveTimeout: KEPT_MS }, (request, response) => void this.#answer(request, response));

  static async start(): Promise<Merchant> {
    const merchant = new Merchant();
    await new Promise<void>((resolve) => {
      merchant.#server.listen(0, '127.0.0.1', resolve);
    });
    merchant.url = `http://127.0.0.1:${(merchant.#server.address() as AddressInfo).port}`;
    return merchant;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    this.#server.closeAllConnections();
    await closed;
  }

  of(path: string): Paid[] {
    return this.paid.filter((paid) => paid.path === path);
  }

  /** A decision request for a path. */
  decision(
    path: string,
    {
      method = 'GET',
      amount = '10000',
      key,
      body,
      organization = 'acme',
      headers,
    }: { method?: string; amount?: string; key?: string; body?: string; organization?: string; headers?: Record<string, string> } = {},
  ): string {
    const url = `${this.url}${path}`;
    const required = Buffer.from(
      JSON.stringify({
        x402Version: 2,
        resource: { url, description: 'a test', mimeType: 'text/plain' },
        accepts: [
          {
            scheme: 'exact',
            network: 'eip155:84532',
            amount,
            asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
            payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
            maxTimeoutSeconds: 300,
            extra: { name: 'USDC', version: '2' },
          },
        ],
      }),
    ).toString('base64');
    return JSON.stringify({
      context: { organization, agent: 'buyer' },
      request: { url, method, ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) },
      challenge: { protocol: 'x402', headers: { 'payment-required': required }, body: '{}' },
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
  }

  /** A decision request for a path with an MPP challenge of this id. */
  charge(path: string, id: string, key?: string): string {
    const request = {
      amount: '10000',
      currency: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
      recipient: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
      methodDetails: { chainId: 84532, decimals: 6, credentialTypes: ['authorization'] },
    };
    const expires = new Date(Date.now() + 600_000).toISOString();
    const challenge = `Payment id="${id}", realm="${new URL(this.url).host}", method="evm", intent="charge", request="${requestText(request)}", expires="${expires}"`;
    return JSON.stringify({
      context: { organization: 'acme', agent: 'buyer' },
      request: { url: `${this.url}${path}`, method: 'GET' },
      challenge: { protocol: 'x402', headers: { 'www-authenticate': challenge } },
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const piece of request) body += String(piece);
    const path = request.url ?? '';
    if (path === '/.well-known/farebox-keys.json') {
      response.writeHead(this.keys ? 200 : 404, { 'content-type': 'application/json' }).end('{"keys":[]}');
      return;
    }
    const payment = request.headers['payment-signature'] ?? request.headers.authorization;
    if (typeof payment !== 'string') {
      response.writeHead(402).end('{}');
      return;
    }
    const paid = { method: request.method ?? '', path, payment, headers: request.headers, body };
    const turn = this.of(path).length;
    this.paid.push(paid);
    (this.scripts.get(path) ?? serve)(turn, response, paid);
  }
}

/** The answer of a merchant that delivers, with its receipt. */
export const serve: Script = (_turn, response, paid) => {
  response.writeHead(200, { 'content-type': 'text/plain', ...receiptOf(paid) }).end(`goods of ${paid.path}`);
};
/** Says nothing to the first payment, and delivers the next time. */
export const holdFirst: Script = (turn, response, paid) => {
  if (turn > 0) serve(turn, response, paid);
};
/** Begins to answer the first payment and stops, and delivers the next time. */
export const halfFirst: Script = (turn, response, paid) => {
  if (turn > 0) return serve(turn, response, paid);
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '100' });
  response.write('half');
  return undefined;
};

/** The receipt of a payment, as its protocol has it. */
function receiptOf({ payment }: Paid): Record<string, string> {
  const transaction = `0x${createHash('sha256').update(payment).digest('hex')}`;
  if (payment.startsWith('Payment ')) {
    return {
      'payment-receipt': requestText({ method: 'evm', status: 'success', timestamp: new Date().toISOString(), reference: transaction }),
    };
  }
  const { payload } = JSON.parse(Buffer.from(payment, 'base64').toString('utf8')) as { payload: { authorization: { from: string } } };
  const settlement = { success: true, network: 'eip155:84532', payer: payload.authorization.from, transaction };
  return { 'payment-response': Buffer.from(JSON.stringify(settlement)).toString('base64') };
}
