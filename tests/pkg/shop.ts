// A server that asks for payment as a test wants it, and a payer whose signatures and records are seen.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach } from 'node:test';

import { localSigner, memoryStore, type Signer, type Store, type TypedData } from '../../pkg/dist/index.js';

/** Published development keys, worth nothing anywhere. */
export const PAYER_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
export const PAYER = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
export const PAYEE = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';
export const OTHER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
export const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
export const TRANSACTION = `0x${'ab'.repeat(32)}`;

export type Json = { readonly [name: string]: unknown };

/** What an honest server accepts: 0.01 USDC. */
export const OFFER = {
  scheme: 'exact',
  network: 'eip155:84532',
  amount: '10000',
  asset: USDC,
  payTo: PAYEE,
  maxTimeoutSeconds: 60,
  extra: { name: 'USDC', version: '2' },
};
/** The same in version 1. */
export const OFFER_V1 = {
  scheme: 'exact',
  network: 'base-sepolia',
  maxAmountRequired: '10000',
  asset: USDC,
  payTo: PAYEE,
  maxTimeoutSeconds: 60,
  resource: 'https://shop.example/',
  description: '',
  mimeType: '',
  extra: { name: 'USDC', version: '2' },
};

export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The same price on another chain. */
export const ON_BASE = {
  ...OFFER,
  network: 'eip155:8453',
  asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
  extra: { name: 'USD Coin', version: '2' },
};

/** The terms of version 2, as they stand in the header. */
export function terms(accepts: readonly unknown[] = [OFFER], more: Json = {}): Json {
  return { x402Version: 2, error: 'payment required', resource: { url: '/' }, accepts, ...more };
}

/** A 402 with these terms; text is sent as it is. */
export function ask(response: ServerResponse, wanted: Json | string = terms()): void {
  const header = base64(typeof wanted === 'string' ? wanted : JSON.stringify(wanted));
  response.writeHead(402, { 'payment-required': header, 'content-type': 'application/json' }).end('{}');
}

/** A settlement of the honest price. */
export function settlement(change: Json = {}): Json {
  return { success: true, transaction: TRANSACTION, network: OFFER.network, payer: PAYER, amount: OFFER.amount, ...change };
}

/** What was bought, with this settlement header. */
export function serve(response: ServerResponse, settled: Json | string = settlement()): void {
  const header = typeof settled === 'string' ? settled : base64(JSON.stringify(settled));
  response.writeHead(200, { 'payment-response': header, 'content-type': 'text/plain' }).end(GOODS);
}
export const GOODS = 'Rainfall, Tuesday';

/** The payment that a request carries. */
export function paymentOf(request: IncomingMessage): string | undefined {
  const value = request.headers['payment-signature'] ?? request.headers['x-payment'];
  return Array.isArray(value) ? value.join() : value;
}

export function honest(request: IncomingMessage, response: ServerResponse): void {
  if (paymentOf(request) === undefined) ask(response);
  else serve(response);
}

export type Shop = { readonly url: string; readonly host: string; readonly requests: IncomingMessage[]; stop(): Promise<void> };

/** Listens on a free port of 127.0.0.1 and keeps the head of every request. */
export async function open(handler: RequestListener): Promise<Shop> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    handler(request, response);
  });
  // The client lets go of an idle connection: a server that does so while a test holds the process up resets the next request.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async () => {
    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://${host}`, host, requests, stop };
}

export type SharedShop = Omit<Shop, 'stop'> & {
  /** What it does with a request; a test may change it. */
  answers: RequestListener;
  /** The payments that came, in order. */
  payments(): string[];
};

/** One shop for the tests of a file: each begins without requests, and with these answers. */
export function sharedShop(answers: SharedShop['answers'] = honest): SharedShop {
  let shop: Shop | undefined;
  const shared: SharedShop = {
    answers,
    get url() {
      return shop?.url ?? '';
    },
    get host() {
      return shop?.host ?? '';
    },
    get requests() {
      return shop?.requests ?? [];
    },
    payments: () => shared.requests.map(paymentOf).filter((payment): payment is string => payment !== undefined),
  };
  before(async () => {
    shop = await open((request, response) => shared.answers(request, response));
  });
  beforeEach(() => {
    shared.requests.length = 0;
    shared.answers = answers;
  });
  after(() => shop?.stop());
  return shared;
}

/** A key that remembers what it was asked to sign. */
export function watchedSigner(key: string = PAYER_KEY): Signer & { readonly asked: TypedData[] } {
  const signer = localSigner(key);
  const asked: TypedData[] = [];
  return {
    asked,
    address: signer.address,
    sign: (typedData) => {
      asked.push(typedData);
      return signer.sign(typedData);
    },
  };
}

/** Nonce, time, host, payee and price at 18 fraction digits. */
export type Entry = readonly [id: string, at: number, host: string, payee: string, worth: string];
export type Spent = {
  readonly v: number;
  readonly entries: readonly Entry[];
  readonly pins: readonly (readonly [place: string, payee: string, heldBy?: string])[];
};

export async function recordIn(store: Store): Promise<string> {
  return (await store.read()).record ?? '{"v":1,"entries":[],"pins":[]}';
}

export async function spentIn(store: Store): Promise<Spent> {
  return JSON.parse(await recordIn(store)) as Spent;
}

/** A store that holds this record. */
export async function storeOf(record: string): Promise<Store> {
  const store = memoryStore();
  await store.replace((await store.read()).version, record);
  return store;
}
