// Answers that nobody reads to their end, and what is remembered of them beside those of other hosts.

import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';

import { memoryStore, type PayOptions, payingFetch, type Store } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { ask, honest, OFFER, open, paymentOf, settlement, sharedShop, terms, watchedSigner } from './shop.ts';

const shop = sharedShop();
/** A place that takes nothing. */
const failing = (code: string): Writable =>
  new Writable({ write: (_, __, done) => done(Object.assign(new Error('nothing was written'), { code })) });

function payer(store: Store, change: Partial<PayOptions> = {}) {
  return payingFetch({ signer: watchedSigner(), store, policy: { deadlineSecs: 1 }, ...change });
}

const nonceOf = (payment: string): string =>
  (JSON.parse(Buffer.from(payment, 'base64').toString()) as { payload: { authorization: { nonce: string } } }).payload.authorization.nonce;

/** Two copies of a body, of which the second was copied once more. */
function copiesOf(body: ReadableStream<Uint8Array>): [ReadableStream<Uint8Array>, ...ReadableStream<Uint8Array>[]] {
  const [first, second] = body.tee();
  return [first, ...second.tee()];
}

/** How answers are saved where the place for them is full, and how readers end that have enough. */
const ENDS: Record<string, readonly [isWanted: boolean, end: (body: ReadableStream<Uint8Array>) => Promise<unknown>]> = {
  'a pipeline to a full disk': [true, (body) => pipeline(Readable.fromWeb(body as never), failing('ENOSPC'))],
  'an upload that is reset': [true, (body) => pipeline(Readable.fromWeb(body as never), failing('ECONNRESET'))],
  'an upload that is closed': [true, (body) => pipeline(Readable.fromWeb(body as never), failing('ERR_STREAM_PREMATURE_CLOSE'))],
  'a stream of Node that is given up': [false, async (body) => void Readable.fromWeb(body as never).destroy()],
  'a pipe to a full disk': [true, (body) => body.pipeTo(new WritableStream({ write: () => Promise.reject(new Error('no space left')) }))],
  'a pipe that is aborted': [
    true,
    async (body) => {
      const ending = new AbortController();
      const piped = body.pipeTo(new WritableStream({ write: () => ending.abort() }), { signal: ending.signal });
      return piped;
    },
  ],
  'a loop that is left': [
    false,
    async (body) => {
      for await (const _ of body) break;
    },
  ],
  'a reader that says why it has enough': [false, (body) => body.cancel('enough')],
  'copies that are not wanted, one of them with its reason': [
    false,
    (body) => Promise.all(copiesOf(body).map((copy, at) => copy.cancel(['enough'][at]))),
  ],
  'a copy that is not wanted beside one whose disk is full': [
    true,
    (body) => {
      const [first, ...rest] = copiesOf(body);
      const full = new WritableStream({ write: () => Promise.reject(new Error('no space left')) });
      return Promise.all([first.pipeTo(full), ...rest.map((copy) => copy.cancel('enough'))]);
    },
  ],
  'a reader that is gone': [false, (body) => pipeline(Readable.fromWeb(body as never), failing('EPIPE'))],
};

for (const [name, [isWanted, end]] of Object.entries(ENDS)) {
  for (const isKept of [true, false]) {
    //
    test(`${name} ${isWanted ? 'leaves' : 'ends'} what was paid for${isKept ? ', also for other processes' : ''}`, async () => {
      const fetch = payer(memoryStore(), isKept ? { resume } : {});
      shop.answers = (request, response) => {
        if (paymentOf(request) === undefined) return ask(response);
        const settled = Buffer.from(JSON.stringify(settlement())).toString('base64');
        response.writeHead(200, { 'payment-response': settled });
        response.write('half');
        setTimeout(() => response.end('other half'), 100);
      };
      const response = await fetch(`${shop.url}/file`);
      await end(response.body!).catch(() => undefined);
      shop.answers = honest;
      await (await fetch(`${shop.url}/file`)).text();
      assert.equal(new Set(shop.payments().map(nonceOf)).size, isWanted ? 1 : 2);
    });
  }
}

//
test('a host whose purchases end unresolved by the hundred pushes out none of another host', async (context) => {
  const fails: typeof shop.answers = (request, response) =>
    paymentOf(request) === undefined ? ask(response, terms([{ ...OFFER, amount: '1' }])) : void response.writeHead(500).end();
  const other = await open(fails);
  context.after(() => other.stop());
  let seconds = Date.now() / 1000;
  const fetch = payer(memoryStore(), { now: () => seconds });
  shop.answers = fails;
  assert.equal((await fetch(`${shop.url}/report`)).status, 500);
  for (let page = 0; page < 258; page += 1) assert.equal((await fetch(`${other.url}/${page}`)).status, 500);
  seconds += 400;
  for (let page = 300; page < 303; page += 1) assert.equal((await fetch(`${other.url}/${page}`)).status, 500);
  await fetch(`${shop.url}/report`);
  assert.deepEqual([shop.payments().length >= 2, new Set(shop.payments().map(nonceOf)).size], [true, 1]);
});
