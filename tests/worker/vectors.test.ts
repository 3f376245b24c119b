/** The security vectors for payments, request headers and paths, through the running gate. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { recoverTypedDataAddress } from 'viem';

import { freshPayer, type JsonObject, type Payer, pay, requiredBy, TRANSFER_TYPES } from './support/payer.ts';
import type { Answer, Connection, HeaderRow } from './support/raw.ts';
import { type PaymentCase, reissue } from './support/reissue.ts';
import { respell, type Swap } from './support/respell.ts';
import { openWorld, send, type World } from './support/world.ts';

type HeaderCase = {
  readonly name: string;
  readonly class: string;
  readonly expect: 'accept' | 'reject' | 'challenge' | 'either';
  readonly headers?: readonly HeaderRow[];
  readonly header_gen?: {
    readonly name: string;
    readonly base64_of: { readonly prefix: string; readonly unit: string; readonly count: number; readonly suffix: string };
  };
  readonly query?: string;
  readonly body?: string;
};
type PathCase = {
  readonly name: string;
  readonly class: string;
  readonly method: string;
  readonly target: string;
  readonly allowed: readonly string[];
};
type PathRoute = { readonly id: string; readonly pattern: string; readonly methods: readonly string[]; readonly price: string };

const payments = vectors<{ cases: readonly PaymentCase[] }>('eip3009_payments').cases;
const headers = vectors<{ cases: readonly HeaderCase[] }>('headers_request').cases.filter((c) => c.class !== 'mpp_authorization');
const paths = vectors<{ fixture: { routes: readonly PathRoute[] }; cases: readonly PathCase[] }>('paths');
const TARGET = '/premium/report';
const NOW = (): number => Math.floor(Date.now() / 1000);

/** The interface does not compare the host of `resource.url`, the vector wants it refused: both are safe. */
const EITHER_HERE = ['resource-other-host'];
/** workerd trims the space of a field name and hands the header over as a payment. */
const PLATFORM_TRIMS = ['place-space-in-name'];
/** workerd ends the target at the tab, so the Worker sees, prices and forwards only what stands before it. */
const PLATFORM_CUTS: Readonly<Record<string, string>> = { 'dots-tab-in-dots': 'gate:cheap' };
/** Undecodable in ways that leave nothing to put a fresh payment into. */
const AS_IS = [
  'b64-only-pads',
  'b64-all-percent',
  'b64-base32-instead',
  'b64-gzip-json',
  'b64-one-char',
  'b64-asterisk',
  'b64-curly',
  'b64-null-word',
  'b64-undefined-word',
  'b64-object-object',
  'b64-true-word',
  'b64-zero',
  'b64-empty-value',
  'b64-only-spaces',
  'b64-empty-json-object',
  'json-bare-word',
  'json-xml',
  'json-yaml',
  'json-formurl',
  'json-unterminated-string',
  'json-top-number',
  'json-top-null',
  'json-top-true',
  'json-empty-array',
  'json-utf32',
  'json-truncated-half',
  'json-utf16le',
  'place-query',
  'size-depth-bomb-100k',
];

//
describe('payment vectors', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: [premium()] });
  });
  after(() => world.stop());

  for (const vector of payments) {
    it(`${vector.name}: ${vector.expect}`, async () => {
      const payer = freshPayer();
      const payment = await reissue(vector, payer, freshPayer(), NOW());
      const row: HeaderRow = ['PAYMENT-SIGNATURE', Buffer.from(JSON.stringify(payment)).toString('base64')];
      const expected = EITHER_HERE.includes(vector.name) ? 'either' : vector.expect;
      await judge(world, expected, [row], payer, {});
    });
  }

  it('a re-issued case is signed well exactly where the case is', async () => {
    for (const vector of payments) {
      const payer = freshPayer();
      const payment = await reissue(vector, payer, freshPayer(), NOW());
      const wrong = ['signature', 'domain', 'type'].includes(vector.class) || vector.name === 'to-tampered';
      const checked = wrong || vector.expect === 'accept' || ['amount', 'recipient', 'time'].includes(vector.class);
      if (checked) assert.equal(await isSignedBy(vector, payment, payer), !wrong, vector.name);
    }
  });
});

//
describe('header vectors', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: [premium()] });
  });
  after(() => world.stop());

  for (const vector of headers) {
    it(`${vector.name}: ${vector.expect}`, async () => {
      const payer = freshPayer();
      const swaps = await freshSwaps(payer);
      const expected = PLATFORM_TRIMS.includes(vector.name) ? 'either' : vector.expect;
      const { rows, query, body } = fresh(vector, swaps);
      await judge(world, expected, rows, payer, { query, body, misplaced: vector.class === 'misplaced' });
    });
  }

  it('a fresh payment is put into every case that can carry one', async () => {
    const swaps = await freshSwaps(freshPayer());
    const left = headers.filter((vector) => !['spoofed_trust'].includes(vector.class) && !fresh(vector, swaps).changed);
    assert.deepEqual(
      left.map((vector) => vector.name).filter((name) => !AS_IS.includes(name)),
      [],
    );
  });
});

//
describe('path vectors', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: paths.fixture.routes.map(configured) });
  });
  after(() => world.stop());

  for (const vector of paths.cases.filter((c) => c.class !== 'query_price')) {
    it(`${vector.name}: ${vector.allowed.join(' or ')}`, async () => {
      const { method, target } = vector;
      const asked = world.origin.calls.length;
      const connection = await world.gate.connect();
      const answer = await connection.send({ method, target });
      const forwarded = world.origin.calls.slice(asked);
      const outcome = outcomeOf(vector, answer, forwarded.length);
      const allowed = vector.allowed.map((one) => one.replace('@normalised', '').replace('default-highest', 'gate:premium'));
      const platform = outcome === 'platform' && (!target.startsWith('/') || !/^[A-Z]+$/.test(method) || method === 'CONNECT');
      assert.ok(
        allowed.includes(outcome) || platform || PLATFORM_CUTS[vector.name] === outcome,
        `${outcome} (${answer.status} ${answer.text.slice(0, 200)})`,
      );
      assert.equal(world.facilitator.calls.length, facilitatorCalls(world));
      if (outcome === 'free') {
        const bytes = forwarded[0]?.target ?? '';
        if (vector.class === 'canonical') assert.equal(bytes, target);
        assert.equal((await world.gate.raw(method, bytes)).status, answer.status, 'what was forwarded is free as well');
      } else if (vector.class === 'canonical') {
        const payment = await pay(freshPayer(), requiredBy(answer));
        const paid = await send(world, target, payment, { method, connection });
        assert.equal(paid.status, 200, paid.text.slice(0, 200));
        assert.equal(world.origin.calls.at(-1)?.target, target, 'the bytes forwarded are the bytes priced');
      }
      if (!connection.ended) {
        assert.equal((await connection.send({ method: 'GET', target: '/about' })).status, 200);
      }
      connection.close();
    });
  }
});

type Extras = { readonly query?: string | undefined; readonly body?: string | undefined; readonly misplaced?: boolean };

/** workerd refuses so long a head before all of it has come: its answer may be lost with the connection. */
const CUT_BYTES = 500_000;
const REFUSED_UNREAD = { status: 431, text: 'the connection was ended' };

async function judge(world: World, expected: string, rows: readonly HeaderRow[], payer: Payer, extras: Extras): Promise<void> {
  const calls = { facilitator: world.facilitator.calls.length, origin: world.origin.calls.length };
  const connection = await world.gate.connect();
  const sent = connection.send({
    method: extras.body === undefined ? 'GET' : 'POST',
    target: extras.query === undefined ? TARGET : `${TARGET}?${extras.query}`,
    headers: rows,
    ...(extras.body === undefined ? {} : { body: extras.body }),
  });
  const answer = await (rows.some(([, value]) => value.length > CUT_BYTES) ? sent.catch(() => REFUSED_UNREAD) : sent);
  const said = `${answer.status} ${answer.text.slice(0, 200)}`;
  const settled = world.facilitator.of('settle', payer.address).length;
  if (expected === 'accept' || (expected === 'either' && answer.status === 200)) {
    assert.equal(answer.status, 200, said);
    assert.equal(settled, 1);
    assert.equal(world.origin.calls.length, calls.origin + 1);
  } else {
    if (expected === 'challenge') {
      assert.ok(answer.status === 402 || (extras.misplaced === true && answer.status === 400), said);
      if (answer.status === 402) assert.equal((JSON.parse(answer.text) as JsonObject)['code'], 'payment_required', said);
    } else {
      assert.ok([400, 402, 414, 431].includes(answer.status), said);
    }
    assert.deepEqual({ facilitator: world.facilitator.calls.length, origin: world.origin.calls.length }, calls, 'no calls');
  }
  await nextGood(world, connection);
  connection.close();
}

async function nextGood(world: World, connection: Connection): Promise<void> {
  const used = connection.ended ? await world.gate.connect() : connection;
  const target = `${TARGET}?next`;
  const payment = await pay(freshPayer(), requiredBy(await used.send({ method: 'GET', target })));
  const answer = await send(world, target, payment, { connection: used });
  assert.equal(answer.status, 200, `the next good request works: ${answer.text.slice(0, 200)}`);
  used.close();
}

function fresh(vector: HeaderCase, swaps: Swap): { rows: HeaderRow[]; query?: string; body?: string; changed: boolean } {
  let changed = false;
  const renew = (value: string): string => {
    const found = respell(value, swaps, relatives());
    changed ||= found !== undefined;
    return found ?? value;
  };
  const rows = (vector.headers ?? []).map(([name, value]): HeaderRow => [name, renew(value)]);
  if (vector.header_gen !== undefined) {
    const { prefix, unit, count, suffix } = vector.header_gen.base64_of;
    rows.push([vector.header_gen.name, renew(Buffer.from(prefix + unit.repeat(count) + suffix).toString('base64'))]);
  }
  const query = vector.query === undefined ? {} : { query: renew(vector.query) };
  const body = vector.body === undefined ? {} : { body: renew(vector.body) };
  return { rows, ...query, ...body, changed };
}

/** Old and new text of the two payments that the header vectors are made of. */
async function freshSwaps(payer: Payer): Promise<Swap> {
  const swaps: [string, string][] = [];
  for (const name of ['valid', 'valid-second-nonce']) {
    const vector = payments.find((one) => one.name === name);
    assert.ok(vector);
    const [old, made] = [vector.payment, await reissue(vector, payer, payer, NOW())].map((payment) => {
      const { signature, authorization } = payment['payload'] as { signature: string; authorization: Record<string, string> };
      return [signature, authorization['from'] ?? '', authorization['validAfter'] ?? '', authorization['validBefore'] ?? ''];
    });
    for (const [i, text] of (old ?? []).entries()) swaps.push([text, made?.[i] ?? '']);
  }
  return swaps;
}

let found: readonly string[] | undefined;

/** Plain spellings that other cases of the vectors were made from. */
function relatives(): readonly string[] {
  found ??= headers
    .filter((vector) => ['accept', 'either'].includes(vector.expect) || vector.name === 'multi-two-different')
    .flatMap((vector) => (vector.headers ?? []).map(([, value]) => value))
    .filter((value) => /^[A-Za-z0-9+/]{200,}={0,2}$/.test(value));
  return found;
}

async function isSignedBy(vector: PaymentCase, payment: JsonObject, payer: Payer): Promise<boolean> {
  const { signature, authorization } = payment['payload'] as { signature: `0x${string}`; authorization: Record<string, string> };
  const { extra, network, asset } = vector.requirements;
  const message = { ...authorization, from: authorization['from']?.toLowerCase(), to: authorization['to']?.toLowerCase() };
  try {
    const signer = await recoverTypedDataAddress({
      domain: { name: extra.name, version: extra.version, chainId: Number(network.split(':')[1]), verifyingContract: asset },
      types: TRANSFER_TYPES,
      primaryType: 'TransferWithAuthorization',
      message: message as never,
      signature,
    });
    return signer.toLowerCase() === authorization['from']?.toLowerCase() && signer === payer.address;
  } catch {
    return vector.class === 'amount' || vector.class === 'time';
  }
}

function premium(): { readonly [key: string]: string | number } {
  return { path: '/premium/*', price: '$0.01', settle: 'after', max_timeout_secs: 60, origin_timeout_secs: 2 };
}

function configured(route: PathRoute): {
  readonly [key: string]: string | number | readonly string[] | { readonly amount: string; readonly asset: string };
} {
  return {
    path: route.pattern.replace(/:(\w+)/, '[$1]'),
    ...(route.methods.includes('*') ? {} : { methods: route.methods }),
    price: route.price === '0' ? 'free' : { amount: route.price, asset: 'USDC' },
    max_timeout_secs: 60,
    origin_timeout_secs: 2,
  };
}

function outcomeOf(vector: PathCase, answer: Answer, forwarded: number): string {
  if (forwarded > 0) return 'free';
  if (answer.status === 402) {
    const amount = requiredBy(answer).accepts[0]?.amount;
    return `gate:${paths.fixture.routes.find((route) => route.price === amount)?.id}`;
  }
  if (answer.status === 204 && vector.method === 'OPTIONS') return 'preflight';
  return answer.status >= 500 ? 'platform' : answer.status >= 400 ? 'reject' : `status ${answer.status}`;
}

/** Only paid canonical targets call the facilitator: one verify and one settle each. */
function facilitatorCalls(world: World): number {
  return 2 * world.facilitator.settled.size;
}

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/security/${name}.json`, import.meta.url), 'utf8')) as T;
}
