// What the reference clients were recorded to pay, and what no client may pay, through the whole package: the clock and the
// nonce are those of the recording, so that payments are compared to the last byte of the signature.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, describe, mock, test } from 'node:test';

import { type Hex, recoverTypedDataAddress } from 'viem';

import {
  decodeHeader,
  encodeHeader,
  FareboxError,
  hashTypedData,
  type LooseTypedData,
  localSigner,
  memoryStore,
  type Policy,
  recoverSigner,
  wrapFetch,
} from '../../pkg/dist/index.js';
import { base64, type Json, OFFER_V1, OTHER, PAYER_KEY, recordIn, watchedSigner } from './shop.ts';

const read = <T>(path: string): T => JSON.parse(readFileSync(new URL(`../vectors/${path}`, import.meta.url), 'utf8')) as T;

/** 2025-02-27T16:01:29Z: when everything was recorded. */
const RECORDED = 1_740_672_089;

type Authorization = { readonly [name in 'from' | 'to' | 'value' | 'validAfter' | 'validBefore' | 'nonce']: string };
type Exact = { readonly authorization: Authorization; readonly signature: Hex };

afterEach(() => mock.restoreAll());

type Sale = {
  readonly challenge: () => Response;
  readonly policy?: Policy;
  readonly key?: string;
  /** The first random bytes that are drawn. */
  readonly nonce?: string;
  readonly second?: number;
  readonly url?: string;
};

/** One request through the package over a scripted `fetch`: what became of it, and each payment that was sent. */
async function buy({ challenge, policy, key = PAYER_KEY, nonce, second = 200, url = 'https://api.example.com/x' }: Sale) {
  if (nonce !== undefined) {
    mock.method(globalThis.crypto, 'getRandomValues', (bytes: Uint8Array) => {
      Buffer.from(nonce.slice(2), 'hex').copy(bytes);
      return bytes;
    });
  }
  const [signer, store] = [watchedSigner(key), memoryStore()];
  const sent: { readonly name: string; readonly payload: Json; readonly headers: Headers }[] = [];
  const fetch = wrapFetch(
    async (_, init) => {
      const headers = new Headers(init?.headers);
      const name = ['payment-signature', 'x-payment'].find((header) => headers.has(header));
      if (name === undefined) return challenge();
      sent.push({ name, payload: decodeHeader(headers.get(name) ?? '') as Json, headers });
      return second === 402 ? challenge() : new Response('bought', { status: second });
    },
    { signer, store, now: () => RECORDED, identifier: false, ...(policy === undefined ? {} : { policy }) },
  );
  const outcome = await fetch(url, { method: 'POST', headers: { a: 'b' }, body: 'text' }).then(
    ({ status }) => ({ status, code: undefined }),
    (error: unknown) => {
      assert.ok(error instanceof FareboxError, String(error));
      assert.ok(error.remedy.length > 10);
      assert.equal(error.signed, signer.asked.length > 0);
      return { status: undefined, code: error.code };
    },
  );
  assert.equal(sent.length, signer.asked.length, 'what is signed is sent once');
  for (const { headers } of sent) assert.deepEqual([headers.get('a'), headers.get('content-type')], ['b', null]);
  const record = JSON.parse(await recordIn(store)) as { entries: unknown[] };
  assert.equal(record.entries.length, signer.asked.length);
  return { ...outcome, sent, asked: signer.asked };
}

const inHeader = (required: unknown) => (): Response =>
  new Response('{}', { status: 402, headers: { 'payment-required': base64(JSON.stringify(required)) } });
const inBody = (required: unknown) => (): Response =>
  new Response(JSON.stringify(required), { status: 402, headers: { 'content-type': 'application/json' } });

/** What is decided otherwise than by a reference client, and why. Where one refuses and we pay, it refuses the form of what nobody reads. */
const DEVIATIONS: Readonly<Record<string, { readonly code?: string; readonly value?: string; readonly why: string }>> = {
  'first-supported-wins': { value: '3', why: 'of what may be paid the cheapest is, whatever the order' },
  'second-402-returned': { code: 'payment_refused', why: 'a payment that left is told with its error, not with one more 402' },
  'second-402-returned-not-retried': { code: 'payment_refused', why: 'the same' },
  'first-when-no-usdc': { code: 'policy_asset', why: 'an unknown token has no known price: 100000 units of it may be worth anything' },
  'schema-violation-unknown-scheme-anywhere': { value: '10000', why: 'an entry that cannot be read spoils no entry that can' },
  'null-outputSchema-per-spec-example': { value: '10000', why: "the specification's own example has null there, and nobody here reads it" },
};

type FetchVector = {
  readonly name: string;
  readonly paymentRequired: Json | null;
  readonly result: { readonly status?: number; readonly error?: string };
  readonly payload?: { readonly payload: Exact; readonly accepted: Json; readonly resource: Json };
};

/** Whoever buys freely says how much. */
const GENEROUS: Policy = { perPayment: '1000', perDay: '1000' };

describe('what @x402/fetch was recorded to do', () => {
  const refusals: Readonly<Record<string, string>> = {
    'default-cap-exceeded': 'policy_amount',
    'non-default-asset-rejected-by-default': 'policy_asset',
    'unknown-payment-flow-dropped': 'unsupported_scheme',
    'no-header-v2-body-ignored': 'malformed_challenge',
    'unsupported-only': 'unsupported_scheme',
  };
  const { cases } = read<{ cases: FetchVector[] }>('x402/v2-client-fetch.json');
  for (const { name, paymentRequired, result, payload } of cases) {
    const deviation = DEVIATIONS[name];
    test(`${name}${deviation === undefined ? '' : `, but ${deviation.why}`}`, async () => {
      const second = paymentRequired === null ? inBody({ x402Version: 2, accepts: [] }) : inHeader(paymentRequired);
      const bought = await buy({
        challenge: second,
        ...(payload === undefined ? {} : { nonce: payload.payload.authorization.nonce }),
        ...(result.status === undefined ? {} : { second: result.status }),
        ...(name === 'spend-controls-off' ? { policy: GENEROUS } : {}),
      });
      const code = deviation?.code ?? refusals[name];
      assert.equal(bought.code, code);
      assert.equal(bought.status, code === undefined ? result.status : undefined);
      assert.equal(bought.sent.length, payload === undefined ? 0 : 1);
      if (payload === undefined) return;
      assert.equal(bought.sent[0]?.name, 'payment-signature');
      if (deviation?.value === undefined) assert.deepEqual(bought.sent[0].payload, payload);
      else await assertSignedFor(bought.sent[0].payload['payload'] as Exact, bought.asked[0], deviation.value);
    });
  }
});

describe('what x402-fetch was recorded to do', () => {
  const entry = (change: Json): Json => ({ ...OFFER_V1, maxTimeoutSeconds: 300, ...change });
  // The recording kept what was chosen; what there was to choose from is named by its case.
  const accepts: Readonly<Record<string, readonly Json[]>> = {
    'default-max-value-0.1-usdc-ok': [entry({ maxAmountRequired: '100000' })],
    'default-max-value-exceeded': [entry({ maxAmountRequired: '100001' })],
    'raised-max-value': [entry({ maxAmountRequired: '5000000' })],
    'second-402-returned-not-retried': [entry({})],
    'usdc-preferred-over-first': [entry({ asset: OTHER, maxAmountRequired: '5' }), entry({})],
    'first-when-no-usdc': [entry({ asset: OTHER })],
    'schema-violation-amount': [entry({ maxAmountRequired: '0.01' })],
    'schema-violation-unknown-scheme-anywhere': [entry({ scheme: 'upto' }), entry({})],
    'null-outputSchema-per-spec-example': [entry({ outputSchema: null })],
  };
  const refusals: Readonly<Record<string, string>> = {
    'default-max-value-exceeded': 'policy_amount',
    'schema-violation-amount': 'malformed_challenge',
  };
  const { cases } = read<{ cases: { name: string; result: { status?: number }; selected?: Json & { payload: Exact } }[] }>(
    'x402/v1-client-fetch.json',
  );
  for (const { name, result, selected } of cases) {
    const deviation = DEVIATIONS[name];
    test(`${name}${deviation === undefined ? '' : `, but ${deviation.why}`}`, async () => {
      const bought = await buy({
        challenge: inBody({ x402Version: 1, error: '', accepts: accepts[name] ?? assert.fail('no offers for this case') }),
        ...(selected === undefined ? {} : { nonce: selected.payload.authorization.nonce }),
        ...(result.status === undefined ? {} : { second: result.status }),
        ...(name === 'raised-max-value' ? { policy: GENEROUS } : {}),
      });
      const code = deviation?.code ?? refusals[name];
      assert.equal(bought.code, code);
      const [paid] = bought.sent;
      if (deviation?.value !== undefined) await assertSignedFor(paid?.payload['payload'] as Exact, bought.asked[0], deviation.value);
      else if (selected !== undefined && code !== 'policy_asset') assert.deepEqual([paid?.name, paid?.payload], ['x-payment', selected]);
      else assert.deepEqual(bought.sent, []);
    });
  }
});

/** The signature over this price, by the payer, as viem sees it. */
async function assertSignedFor({ authorization, signature }: Exact, typedData: LooseTypedData | undefined, value: string): Promise<void> {
  assert.ok(typedData);
  assert.equal(authorization.value, value);
  assert.deepEqual(authorization, typedData.message);
  assert.equal(
    await recoverTypedDataAddress({ ...typedData, signature } as Parameters<typeof recoverTypedDataAddress>[0]),
    authorization.from,
  );
}

type SigningVector = {
  readonly name: string;
  readonly x402Version: number;
  readonly privateKey: string;
  readonly signer: string;
  readonly paymentRequired: Json;
  readonly typedData: readonly (LooseTypedData & {
    readonly digest: string;
    readonly signature: string;
    readonly recoveredSigner: string;
  })[];
  readonly paymentPayload: Json & { readonly payload: Exact };
  readonly headers: Readonly<Record<string, string>>;
};

describe('what the reference clients sign', () => {
  const { vectors } = read<{ vectors: SigningVector[] }>('x402/client-signing.json');
  for (const { name, x402Version, privateKey, signer, paymentRequired, typedData, paymentPayload, headers } of vectors) {
    test(`${name}: digest, signature, signer and header`, async () => {
      for (const { digest, signature, recoveredSigner, domain, types, primaryType, message } of typedData) {
        const data = { domain, types, primaryType, message };
        assert.equal(hashTypedData(data), digest);
        assert.equal(recoverSigner(data, signature), recoveredSigner);
        assert.equal(await localSigner(privateKey).sign(data as never), signature);
      }
      const [[header, value] = assert.fail()] = Object.entries(headers);
      assert.deepEqual(decodeHeader(value), paymentPayload);
      assert.equal(encodeHeader(paymentPayload), value);

      const exact = /exact-(eip3009|base-sepolia)|v2-(extensions-echoed|non-ascii)/.test(name);
      const sale = {
        challenge: (x402Version === 1 ? inBody : inHeader)(paymentRequired),
        key: privateKey,
        policy: { perPayment: `${10n ** 34n}`, perDay: `${10n ** 34n}` },
      };
      const bought = await buy(exact ? { ...sale, nonce: paymentPayload.payload.authorization.nonce } : sale);
      if (exact) {
        assert.deepEqual(
          bought.sent.map((paid) => [paid.name, paid.payload]),
          [[header.toLowerCase(), paymentPayload]],
        );
        assert.equal(paymentPayload.payload.authorization.from, signer);
      } else {
        assert.deepEqual([bought.code, bought.sent], ['unsupported_scheme', []]);
      }
    });
  }

  const recorded = read<{
    vectors: (Omit<SigningVector, 'paymentRequired'> & { paymentRequirements: Json; decoded: Json & { payload: Exact } })[];
  }>('x402/v1-client-signing.json');
  for (const { name, privateKey, paymentRequirements, headers, decoded } of recorded.vectors) {
    test(`${name} of version 1: the same payment`, async () => {
      assert.equal(encodeHeader(decoded), headers['X-PAYMENT']);
      const bought = await buy({
        challenge: inBody({ x402Version: 1, error: '', accepts: [paymentRequirements] }),
        key: privateKey,
        policy: GENEROUS,
        nonce: decoded.payload.authorization.nonce,
      });
      assert.deepEqual(
        bought.sent.map(({ name: header, payload }) => [header, payload]),
        [['x-payment', decoded]],
      );
    });
  }
});

// A-07, A-87, A-110
describe('what no client may sign', () => {
  /** Cases that may go either way, and how they go here. */
  const either: Readonly<Record<string, string | undefined>> = {
    'pr-accepts-300': 'malformed_challenge',
    'pr-one-bad-one-good': undefined,
    'pr-amount-zero': 'malformed_challenge',
    'pr-amount-number': 'malformed_challenge',
    'pr-timeout-float': 'malformed_challenge',
    'pr-timeout-string': 'malformed_challenge',
    'pr-payto-bad-checksum': undefined,
    'pr-resource-other-origin': undefined,
  };
  const policy: Policy = { networks: ['eip155:84532'], perPayment: '1', maxValiditySecs: 300 };
  const { cases } = read<{ cases: { name: string; class: string; headers: [string, string][]; expect: string; code?: string }[] }>(
    'security/headers_client.json',
  );
  const terms = cases.filter((it) => it.class === 'payment_required');
  for (const { name, headers, expect, code } of terms) {
    test(`${name}: ${expect}${code === undefined ? '' : `, ${code}`}`, async () => {
      const bought = await buy({
        challenge: () => new Response('{}', { status: 402, headers }),
        policy,
        url: 'https://shop.example/premium/report',
      });
      const fallback = name === 'pr-version-3' ? 'unsupported_version' : 'malformed_challenge';
      const expected = { accept: undefined, reject: code ?? fallback, either: either[name] }[expect];
      assert.equal(bought.code, expected);
      assert.equal(bought.asked.length, expected === undefined ? 1 : 0);
      if (expected === undefined) await assertSignedFor(bought.sent[0]?.payload['payload'] as Exact, bought.asked[0], '10000');
    });
  }

  test('every case that may go either way is decided', () => {
    assert.deepEqual(
      terms.filter((it) => it.expect === 'either').map(({ name }) => name),
      Object.keys(either),
    );
  });
});
