// What a merchant, or a proxy before it, may answer to a payment that was charged.

import type { ServerResponse } from 'node:http';

import { askFor, challenge } from './charges.ts';
import { ask, OFFER, OTHER, settlement, terms } from './shop.ts';

const PROBLEM = JSON.stringify({ type: 'urn:farebox:problem:insufficient_funds', status: 402, code: 'insufficient_funds' });
const settled = (change = {}): string => Buffer.from(JSON.stringify(settlement(change))).toString('base64');

/** Cheaper, and on a main network: a purchase that begins would take it. */
const ELSEWHERE = {
  ...OFFER,
  network: 'eip155:8453',
  amount: '9000',
  asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
  extra: { name: 'USD Coin', version: '2' },
};

export type Answer = (response: ServerResponse) => void;
const status = (code: number, headers: Record<string, string> = {}, body = 'no'): [string, Answer] => [
  `${code} ${JSON.stringify(headers)} ${body}`,
  (response) => void response.writeHead(code, headers).end(body),
];
export const ANSWERS: readonly (readonly [string, Answer])[] = [
  ...[301, 302, 303, 307, 308].map((code) => status(code, { location: '/elsewhere' })),
  ...[400, 401, 403, 404, 405, 408, 409, 410, 422, 424, 429, 451, 500, 501, 502, 503, 504, 520, 524].map((code) => status(code)),
  status(402, { 'content-type': 'application/problem+json' }, PROBLEM),
  status(500, { 'payment-response': settled() }),
  status(404, { 'payment-response': settled() }),
  status(402, { 'payment-response': settled({ success: false, errorReason: 'insufficient_funds' }) }),
  status(200),
  status(204, {}, ''),
  ['fresh terms', (response) => ask(response)],
  ['fresh terms at another price', (response) => ask(response, terms([{ ...OFFER, amount: '20000' }]))],
  ['fresh terms for another payee', (response) => ask(response, terms([{ ...OFFER, payTo: OTHER }]))],
  ['fresh terms on another network', (response) => ask(response, terms([ELSEWHERE]))],
  ['fresh terms by Permit2', (response) => ask(response, terms([{ ...OFFER, extra: { ...OFFER.extra, assetTransferMethod: 'permit2' } }]))],
  ['fresh terms of MPP', (response) => askFor(response, [challenge()])],
  ['fresh terms of each kind', (response) => askFor(response, [challenge()], [ELSEWHERE, { ...OFFER, amount: '20000' }])],
  [
    'cut',
    (response) => {
      response.writeHead(200, { 'payment-response': settled(), 'content-length': '1000' });
      response.write('half', () => response.destroy());
    },
  ],
  ['lost', (response) => void response.destroy()],
  ['hang', () => undefined],
  [
    'pending',
    (response) =>
      void response
        .writeHead(402, { 'payment-response': settled({ success: false, errorReason: 'settlement_pending', transaction: '' }) })
        .end(),
  ],
  ['garbage', (response) => void response.socket?.end('what?\r\n\r\n')],
];
