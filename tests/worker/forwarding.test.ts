/** What the origin sees of free and of paid requests. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import type { OriginCall } from './support/origin.ts';
import type { HeaderRow } from './support/raw.ts';
import { expectPaid, MODES, nextNumber, openWorld, payFor, routes, send, type World } from './support/world.ts';

const ORIGIN_SECRET = 'origin-secret-of-the-test-suite-0123456789abcdef';
const KINDS = ['free', ...MODES] as const;
type Kind = (typeof KINDS)[number];

/** Names that must not reach the origin, with values that would do harm there. */
const REMOVED: readonly HeaderRow[] = [
  ['Farebox-Payer', '0x0000000000000000000000000000000000000001'],
  ['Farebox-Payment', 'rcpt_forged'],
  ['Farebox-Signature', 't=1,v1=forged'],
  ['Farebox-Anything', 'forged'],
  ['PAYMENT-RESPONSE', 'forged'],
  ['X-PAYMENT-RESPONSE', 'forged'],
  ['Proxy-Authorization', 'Basic forged'],
  ['Keep-Alive', 'timeout=5'],
  ['TE', 'trailers'],
  // An origin that heard it would say 100 first, which the runtime takes for its answer.
  ['Expect', '100-continue'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-HTTP-Method', 'DELETE'],
  ['X-Method-Override', 'DELETE'],
  ['X-Original-URL', '/admin'],
  ['X-Rewrite-URL', '/admin'],
  ['X-Invoke-Path', '/admin'],
  ['X-Matched-Path', '/admin'],
  ['X-Accel-Mapping', '/=/private/'],
  // The same to an origin that reads names as CGI does.
  ['Farebox_Payer', '0x0000000000000000000000000000000000000001'],
  ['Farebox_Payment', 'rcpt_forged'],
  ['FAREBOX_Signature', 't=1,v1=forged'],
  ['Farebox.Client', 'forged'],
  ['X_Farebox_Anything', 'forged'],
  ['X_HTTP_Method_Override', 'DELETE'],
  ['X-HTTP_Method', 'DELETE'],
  ['X_Original_URL', '/admin'],
  ['Payment_Signature', 'forged'],
  ['X_Payment', 'forged'],
  ['Content_Length', '3'],
  ['Transfer_Encoding', 'chunked'],
  ['X_Correlation_Id', 'forged-0123456789'],
];

/** What the gate may say in their place. */
const OURS = /^Farebox-/;

/** Keys in the name space of those that the gate makes, as a client may try to write them. */
const FORGED_KEYS = ['farebox-abcdefghijklmnopqrstuvwxyz', 'FAREBOX-abc', '"farebox-abc"', 'mine, farebox-abc', "'farebox-abc'"];

describe('forwarding', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ secrets: { ORIGIN_SECRET } });
  });
  after(() => world.stop());

  it('a request with more fields, or longer lists, than any client needs is refused on every path', async () => {
    const fields = (count: number): HeaderRow[] => Array.from({ length: count }, (_, index) => [`X-${index}`, '1']);
    const asked = world.origin.calls.length;
    for (const target of ['/free/many', '/Free%20/many', '/after/many']) {
      for (const headers of [
        fields(300),
        fields(2_000),
        [['Connection', 'h,'.repeat(300)]],
        [['X-Text', 'x'.repeat(65_600)]],
      ] satisfies HeaderRow[][]) {
        const answer = await send(world, target, undefined, { headers });
        assert.deepEqual([answer.status, JSON.parse(answer.text).code], [431, 'header_too_large'], `${target} ${headers.length}`);
      }
    }
    assert.equal(world.origin.calls.length, asked);
    assert.equal((await send(world, '/free/many', undefined, { headers: fields(200) })).status, 200);
  });

  for (const kind of KINDS) {
    //
    it(`headers that are not the client's to send are removed (${kind})`, async () => {
      const { call } = await forward(kind, { headers: REMOVED });
      for (const [name, value] of REMOVED) {
        const seen = call.headers[name.toLowerCase()];
        assert.notEqual(seen, value, name);
        if (!OURS.test(name)) assert.equal(seen, undefined, name);
      }
      assert.equal(call.headers['farebox-anything'], undefined);
      for (const name of ['payment-signature', 'x-payment']) assert.equal(call.headers[name], undefined, name);
    });

    //
    it(`a header named by Connection is removed, ours stay (${kind})`, async () => {
      const { call } = await forward(kind, {
        headers: [
          ['Connection', 'X-Nominated, Farebox-Payer, Farebox-Signature, x-correlation-id, keep-alive'],
          ['X-Nominated', 'gone'],
          ['X-Kept', 'kept'],
        ],
      });
      assert.equal(call.headers['x-nominated'], undefined);
      assert.equal(call.headers['x-kept'], 'kept');
      assert.ok(call.headers['x-correlation-id']);
      expectSignature(call);
    });

    it(`an ordinary Authorization and ordinary headers pass (${kind})`, async () => {
      const { call } = await forward(kind, {
        headers: [
          ['Authorization', 'Bearer of-the-origin'],
          ['Cookie', 'a=b'],
          ['Accept-Language', 'de'],
          ['X-Custom', 'v'],
        ],
      });
      assert.equal(call.headers['authorization'], 'Bearer of-the-origin');
      assert.equal(call.headers['cookie'], 'a=b');
      assert.equal(call.headers['accept-language'], 'de');
      assert.equal(call.headers['x-custom'], 'v');
    });

    it(`method, target bytes and body arrive unchanged (${kind})`, async () => {
      const body = JSON.stringify({ text: 'ä'.repeat(2000) });
      const { call } = await forward(kind, {
        method: 'POST',
        suffix: '/caf%C3%A9;a,b~c?x=%2F..%2f&y=a+b&&z',
        body,
        headers: [['Content-Type', 'application/json']],
      });
      assert.equal(call.method, 'POST');
      assert.ok(call.target.endsWith('/caf%C3%A9;a,b~c?x=%2F..%2f&y=a+b&&z'), call.target);
      assert.equal(call.bodyDigest, createHash('sha256').update(body).digest('hex'));
      assert.equal(call.headers['content-type'], 'application/json');
    });

    it(`the signature for the origin covers time, method, target and what was paid (${kind})`, async () => {
      expectSignature((await forward(kind, { suffix: '/signed?a=1' })).call);
    });
  }

  it('the origin is told amount, asset and network, and the transaction where it was settled before', async () => {
    const paid = {
      'farebox-amount': '10000',
      'farebox-asset': '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
      'farebox-network': 'eip155:84532',
    };
    for (const mode of MODES) {
      const path = `/${mode}/told`;
      const payment = await payFor(world, path);
      const forged: HeaderRow[] = [
        ['Farebox-Amount', '1'],
        ['Farebox_Amount', '1'],
        ['Farebox-Transaction', '0x1'],
      ];
      expectPaid(await send(world, path, payment, { headers: forged }), payment);
      const headers = world.origin.of(path)[0]?.headers ?? {};
      for (const [name, value] of Object.entries(paid)) assert.equal(headers[name], value, name);
      assert.equal(headers['farebox-transaction'], mode === 'before' ? payment.transaction : undefined);
      assert.equal(headers['farebox_amount'], undefined);
    }
  });

  for (const kind of KINDS) {
    it(`address, host and scheme of the client are told by the gate alone (${kind})`, async () => {
      for (const plain of [true, false]) {
        const headers: HeaderRow[] = [
          ['Host', 'shop.example:8443'],
          ['CF-Connecting-IP', '203.0.113.7'],
          ['X-Forwarded-For', '198.51.100.1'],
          ['X_Forwarded_For', '198.51.100.1'],
          ['X-Forwarded-Host', 'evil.example'],
          ['X-Forwarded-Proto', 'gopher'],
          ['X-Forwarded-Port', '1'],
          ['Forwarded', 'for=198.51.100.1;host=evil.example'],
          // Names that the edge leaves to the gate.
          ...(plain ? [] : [['X_Other', '1'] as const]),
        ];
        const { call } = await forward(kind, { headers: plain ? headers.filter(([name]) => name !== 'X_Forwarded_For') : headers });
        const told = call.rows
          .map(([name, value]) => [name.toLowerCase(), value])
          .filter(([name = '']) => /forwarded/.test(name))
          .sort();
        assert.deepEqual(told, [
          ['x-forwarded-for', '203.0.113.7'],
          ['x-forwarded-host', 'shop.example:8443'],
          ['x-forwarded-proto', 'http'],
        ]);
      }
    });
  }

  for (const mode of MODES) {
    it(`a paid request names payer, payment and an idempotency key (${mode})`, async () => {
      const { call, payer } = await forward(mode, {});
      assert.equal(call.headers['farebox-payer']?.toLowerCase(), payer.toLowerCase());
      assert.match(call.headers['farebox-payment'] ?? '', /^rcpt_[a-z2-7]{26}$/i);
      assert.match(call.headers['idempotency-key'] ?? '', /^farebox-[a-z2-7]{26}$/);
      assert.ok(
        !call.headers['idempotency-key']?.includes(call.headers['farebox-payment']?.slice(5) ?? ''),
        'who knows the id does not know the key',
      );
      const again = await forward(mode, {});
      assert.notEqual(again.call.headers['farebox-payment'], call.headers['farebox-payment']);
    });

    it(`an idempotency key of the client is kept (${mode})`, async () => {
      const { call } = await forward(mode, { headers: [['Idempotency-Key', 'short-key']] });
      assert.equal(call.headers['idempotency-key'], 'short-key');
    });

    //
    it(`caches do not stand between a paid request and its origin (${mode})`, async () => {
      for (const headers of [
        [],
        [
          ['Cache-Control', 'max-stale, only-if-cached'],
          ['Pragma', 'x'],
        ],
      ] as const) {
        const { call } = await forward(mode, { headers });
        assert.deepEqual([call.headers['cache-control'], call.headers['pragma']], ['no-cache', 'no-cache']);
      }
    });
  }

  for (const kind of KINDS) {
    //
    it(`no client writes a key of those that the gate makes (${kind})`, async () => {
      const expected = kind === 'free' ? /^$/ : /^farebox-[a-z2-7]{26}$/;
      for (const name of ['Idempotency-Key', 'Idempotency_Key']) {
        for (const key of FORGED_KEYS) {
          const { call } = await forward(kind, { headers: [[name, key]] });
          assert.match(call.headers['idempotency-key'] ?? '', expected, key);
          assert.notEqual(call.headers['idempotency-key'], key);
          assert.equal(call.headers['idempotency_key'], undefined, key);
        }
      }
    });
  }

  //
  it('who shows a public authorization is told no payment, and so no key of its origin', async () => {
    for (const mode of MODES) {
      const path = `/${mode}/public`;
      const payment = await payFor(world, path);
      expectPaid(await send(world, path, payment), payment);
      const [call] = world.origin.of(path);
      for (const method of ['GET', 'PUT']) {
        const told = await send(world, path, payment, { method });
        assert.equal(told.status, 409, told.text);
        const said = JSON.stringify([told.text, told.rawHeaders]);
        const { 'farebox-payment': id = '?', 'idempotency-key': key = '?' } = call?.headers ?? {};
        for (const secret of [id, id.slice(5), key, payment.transaction]) assert.ok(!said.includes(secret), said);
      }
    }
  });

  it('a free request names neither payer nor payment', async () => {
    const { call } = await forward('free', {});
    for (const name of ['farebox-payer', 'farebox-payment', 'idempotency-key']) {
      assert.ok(!call.headers[name], `${name}: ${call.headers[name]}`);
    }
  });

  //
  it('a payment header on a free path never reaches the origin', async () => {
    const payment = await payFor(world, '/after/for-free-path');
    const rows: HeaderRow[] = [payment.row, ['X-PAYMENT', 'x'], ['Authorization', 'Payment abc']];
    const answer = await world.gate.raw('GET', '/free-with-payment', rows);
    assert.equal(answer.status, 200);
    const seen = world.origin.of('/free-with-payment')[0]?.headers ?? {};
    for (const name of ['payment-signature', 'x-payment', 'authorization']) assert.equal(seen[name], undefined, name);
    assert.equal(world.facilitator.of('settle', payment.payer).length, 0);
  });

  it('redirects of a free path are handed on, not followed', async () => {
    world.origin.script('/free-redirect', { status: 307, headers: { Location: 'http://127.0.0.1:9/x' }, body: '' });
    const answer = await world.gate.raw('GET', '/free-redirect');
    assert.equal(answer.status, 307);
    assert.equal(answer.headers['location'], 'http://127.0.0.1:9/x');
  });

  it('the path prefix of the origin is kept and nothing is added twice', async () => {
    const prefixed = await openWorld({ routes: routes(), vars: { ORIGIN_URL: `${world.origin.url}/v1/base/` } });
    try {
      const payment = await payFor(prefixed, '/after/prefixed?x=1');
      expectPaid(await send(prefixed, '/after/prefixed?x=1', payment), payment);
      assert.equal(world.origin.of('/v1/base/after/prefixed')[0]?.target, '/v1/base/after/prefixed?x=1');
    } finally {
      await prefixed.stop();
    }
  });

  type Forwarded = { readonly call: OriginCall; readonly payer: string };

  async function forward(
    kind: Kind,
    options: { headers?: readonly HeaderRow[]; method?: string; suffix?: string; body?: string },
  ): Promise<Forwarded> {
    const base = `/${kind}/forward-${nextNumber()}`;
    const target = `${base}${options.suffix ?? ''}`;
    const method = options.method ?? 'GET';
    const payment = kind === 'free' ? undefined : await payFor(world, target, { method });
    const rest = { method, headers: options.headers ?? [], ...(options.body === undefined ? {} : { body: options.body }) };
    const answer = await send(world, target, payment, rest);
    if (payment === undefined) assert.equal(answer.status, 200, answer.text.slice(0, 200));
    else expectPaid(answer, payment);
    const calls = world.origin.calls.filter((call) => call.target.startsWith(base));
    assert.equal(calls.length, 1);
    return { call: calls[0] as OriginCall, payer: payment?.payer ?? '' };
  }
});

function expectSignature(call: OriginCall): void {
  const SIGNED = [
    ['farebox-signature', 'v1', ['payer', 'payment']],
    ['farebox-signature-v2', 'v2', ['payer', 'payment', 'amount', 'asset', 'network', 'transaction']],
  ] as const;
  for (const [field, scheme, names] of SIGNED) {
    const [, time = '', mac = ''] = new RegExp(`^t=(\\d+),${scheme}=([0-9a-f]{64})$`).exec(call.headers[field] ?? '') ?? [];
    const text = [time, call.method, call.target, ...names.map((name) => call.headers[`farebox-${name}`] ?? '')].join('\n');
    assert.equal(mac, createHmac('sha256', ORIGIN_SECRET).update(text).digest('hex'), text);
    assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60);
  }
}
