// Payers with their payments: signed once, sent any number of times, every answer kept.

import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';

import { freshPayer, pay, type Payer, type PaymentRequired } from '../worker/support/payer.ts';
import type { Mode } from './points.ts';

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
  readonly payer: Payer;
  readonly nonce: `0x${string}`;
  readonly target: string;
  /** Sent along with the payment, so that a repeat proves itself; not all payers do. */
  readonly identifier: string | undefined;
  readonly header: readonly [string, string];
  /** Every answer, also the ones that broke off. */
  readonly answers: Answer[];
}

export interface Order {
  readonly id: string;
  readonly mode: Mode;
  readonly payer: Payer;
  readonly required: PaymentRequired;
  readonly target: string;
  readonly url: string;
  readonly validForSecs: number;
  readonly identified: boolean;
}

export async function sign(order: Order): Promise<Payment> {
  const { id, mode, payer, required, target, url, validForSecs, identified } = order;
  const nonce: `0x${string}` = `0x${randomBytes(32).toString('hex')}`;
  const identifier = identified ? `pay_${randomBytes(16).toString('hex')}` : undefined;
  const asked = { ...required, resource: { ...required.resource, url: `${url}${target}` } };
  const { row } = await pay(payer, asked, { nonce, validForSecs, ...(identifier === undefined ? {} : { identifier }) });
  return { id, mode, payer, nonce, target, identifier, header: row, answers: [] };
}

export { freshPayer };

export interface Watch {
  onHead?: (status: number) => void;
  onBytes?: () => void;
}

/** Sends a payment and waits for the end of its answer, good or bad; a lost connection is an answer with status 0. */
export async function send(url: string, payment: Payment, watch: Watch = {}): Promise<Answer> {
  const answer = await get(`${url}${payment.target}`, { [payment.header[0]]: payment.header[1] }, watch);
  payment.answers.push(answer);
  return answer;
}

/** One GET on a connection of its own. */
export function get(url: string, headers: Record<string, string>, watch: Watch = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const outgoing = httpRequest(url, { agent: false, headers });
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
      incoming.on('close', () => resolve({
        status,
        headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
        text: Buffer.concat(pieces).toString('utf8'),
        complete: incoming.complete,
      }));
    });
    outgoing.end();
  });
}
