// Payers with their payments, of both protocols: signed once, sent any number of times, every answer kept.

import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';

import { payMpp } from '../support/mpp-payer.ts';
import { challengeOf, receiptIn } from '../support/mpp-wire.ts';
import { freshPayer, type Payer, type PaymentRequired, pay } from '../worker/support/payer.ts';
import type { Mode } from './points.ts';

export type Protocol = 'x402' | 'mpp';

/** What came back of one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** False when the connection ended first. */
  readonly complete: boolean;
}

export interface Payment {
  /** `k<kill>p<number>`. */
  readonly id: string;
  readonly mode: Mode;
  readonly protocol: Protocol;
  readonly payer: Payer;
  readonly nonce: `0x${string}`;
  readonly target: string;
  /** Sent along with the payment, so that a repeat proves itself; not all payers do. */
  readonly identifier: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Every answer, also the ones that broke off. */
  readonly answers: Answer[];
}

export interface Order {
  readonly id: string;
  readonly mode: Mode;
  readonly protocol: Protocol;
  readonly payer: Payer;
  readonly required: PaymentRequired;
  readonly target: string;
  readonly url: string;
  readonly validForSecs: number;
  readonly identified: boolean;
}

export async function sign(order: Order): Promise<Payment> {
  const { id, mode, protocol, payer, target, identified } = order;
  const identifier = identified ? `pay_${randomBytes(16).toString('hex')}` : undefined;
  const common = { id, mode, protocol, payer, target, identifier, answers: [] };
  return { ...common, ...(await (protocol === 'mpp' ? signMpp : signX402)(order, identifier)) };
}

type Signed = Pick<Payment, 'nonce' | 'headers'>;

async function signX402({ payer, required, target, url, validForSecs }: Order, identifier: string | undefined): Promise<Signed> {
  const nonce: `0x${string}` = `0x${randomBytes(32).toString('hex')}`;
  const asked = { ...required, resource: { ...required.resource, url: `${url}${target}` } };
  const { row } = await pay(payer, asked, { nonce, validForSecs, ...(identifier === undefined ? {} : { identifier }) });
  return { nonce, headers: { [row[0]]: row[1] } };
}

/** Asks for a challenge of its own: each is for one target. */
async function signMpp({ payer, target, url, validForSecs }: Order, identifier: string | undefined): Promise<Signed> {
  const asked = await get(`${url}${target}`, {});
  const validBefore = String(Math.floor(Date.now() / 1000) + validForSecs);
  const { nonce, value } = await payMpp(payer.account, challengeOf(asked.headers['www-authenticate']), { signed: { validBefore } });
  return { nonce, headers: { Authorization: value, ...(identifier === undefined ? {} : { 'Idempotency-Key': identifier }) } };
}

/** The transaction that the receipt of an answer names, in the header of the payment's protocol. */
export function transactionIn({ protocol }: Payment, { headers }: Answer): unknown {
  if (protocol === 'mpp') return receiptIn(headers['payment-receipt'])?.reference;
  const settlement = JSON.parse(Buffer.from(headers['payment-response'] ?? '', 'base64').toString('utf8')) as { transaction: string };
  return settlement.transaction;
}

export { freshPayer };

export interface Watch {
  onHead?: (status: number) => void;
  onBytes?: () => void;
}

/** Sends a payment and waits for the end of its answer, good or bad; a lost connection is an answer with status 0. */
export async function send(url: string, payment: Payment, watch: Watch = {}): Promise<Answer> {
  const answer = await get(`${url}${payment.target}`, payment.headers, watch);
  payment.answers.push(answer);
  return answer;
}

/** One GET on a connection of its own. */
export function get(url: string, headers: Readonly<Record<string, string>>, watch: Watch = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const outgoing = httpRequest(url, { agent: false, headers: { ...headers } });
    outgoing.on('error', () => resolve({ status: 0, headers: {}, text: '', complete: false }));
    outgoing.on('response', (incoming) => {
      const { statusCode: status = 0 } = incoming;
      const pieces: Buffer[] = [];
      watch.onHead?.(status);
      incoming.on('data', (piece: Buffer) => {
        pieces.push(piece);
        watch.onBytes?.();
      });
      // A broken connection ends in `close` too; `complete` tells which it was.
      incoming.on('error', () => {});
      incoming.on('close', () =>
        resolve({
          status,
          headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
          text: Buffer.concat(pieces).toString('utf8'),
          complete: incoming.complete,
        }),
      );
    });
    outgoing.end();
  });
}
