/** Facilitators that take a key: what they are shown, what a key that is refused means, and where a key never goes. */
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

import { Facilitator, type FacilitatorCall, type Reply, transactionOf } from './support/facilitator.ts';
import { CDP_PATH, type CdpKey, cdpKey, cdpSecrets, expectCdp, expectOkx, isSignedBy, OKX, OKX_PATH } from './support/keys.ts';
import { eventually, expectCalls, expectPaid, expectProblem, jsonOf, openWorld, payFor, send, type World } from './support/world.ts';

const UNKNOWN = { status: 503, code: 'settlement_unknown', retryAfter: 5 } as const;
const NOT_CONFIGURED = { status: 503, code: 'not_configured', retryAfter: 60 } as const;
const PATIENCE_MS = 40_000;

function openCdp(key: CdpKey): Promise<World> {
  return openWorld({ secrets: cdpSecrets(key), auth: { is: 'cdp', path: CDP_PATH } });
}

function expectNoKey(call: FacilitatorCall): void {
  for (const name of ['authorization', ...Object.keys(call.headers).filter((field) => field.startsWith('ok-access'))]) {
    assert.equal(call.headers[name], undefined, name);
  }
}

describe('the JWT of a Coinbase key', () => {
  it('an Ed25519 key signs what the reference signs', async () => {
    const vector = JSON.parse(readFileSync('tests/vectors/x402/cdp-facilitator-auth.json', 'utf8')) as {
      readonly apiKeySecretBase64: string;
      readonly cases: readonly { readonly authorization: string }[];
    };
    const [d, x] = [0, 32].map((from) =>
      Buffer.from(vector.apiKeySecretBase64, 'base64')
        .subarray(from, from + 32)
        .toString('base64url'),
    );
    const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' });
    const pkcs8 = key.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    assert.ok(vector.cases.length >= 3);
    // The Worker's own module: its types are those of another platform.
    const { signed } = (await import(pathToFileURL(resolve('src/platform/edge.mjs')).href)) as { signed(text: string): Promise<string> };
    for (const { authorization } of vector.cases) {
      const token = authorization.replace('Bearer ', '');
      assert.equal(await signed(`EdDSA ${pkcs8} ${token.split('.').slice(0, 2).join('.')}`), token);
    }
  });

  for (const algorithm of ['EdDSA', 'ES256'] as const) {
    it(`every call has one of its own that only the key can make (${algorithm})`, async () => {
      const key = cdpKey(algorithm);
      const world = await openCdp(key);
      try {
        for (const path of ['/after/jwt', '/before/jwt', '/after/jwt-again']) {
          const payment = await payFor(world, path);
          expectPaid(await send(world, path, payment), payment);
        }
        await world.gate.raw('GET', '/_farebox/health');
        await eventually(
          'the facilitator is asked what it serves',
          () => world.facilitator.calls.some((call) => call.operation === 'supported'),
          PATIENCE_MS,
        );
        const { calls } = world.facilitator;
        assert.deepEqual(
          new Set(calls.map((call) => `${call.method} ${call.target}`)),
          new Set([`POST ${CDP_PATH}/verify`, `POST ${CDP_PATH}/settle`, `GET ${CDP_PATH}/supported`]),
        );
        const nonces = calls.map((call) => expectCdp(key, call));
        assert.equal(new Set(nonces).size, calls.length, 'no nonce comes twice');
        for (const call of calls) assert.ok(!isSignedBy({ ...key, publicKey: cdpKey(algorithm).publicKey }, call), 'the check is one');
        assert.equal(calls.find((call) => call.operation === 'supported')?.body.length, 0);
        assert.ok(!world.gate.printed.includes(key.secret.slice(40, 80)));
      } finally {
        await world.stop();
      }
    });
  }
});

describe('the fields of an OKX key', () => {
  it('every call has them over its own bytes, a settlement waits for the chain, and the envelope is opened', async () => {
    const world = await openWorld({ secrets: OKX, auth: { is: 'okx', path: OKX_PATH } });
    const wrap = (data: unknown): Reply => ({ kind: 'json', body: { code: '0', msg: 'success', data } });
    const supported = { kinds: [{ x402Version: 2, scheme: 'exact', network: 'eip155:84532' }] };
    world.facilitator.gatekeeper = ({ operation, payer, nonce, network }) => {
      if (operation === 'supported') return wrap(supported);
      if (operation === 'verify') return wrap({ isValid: true, payer });
      return wrap({ success: true, payer, network, transaction: transactionOf(payer, nonce), status: 'success' });
    };
    try {
      for (const path of ['/after/okx', '/before/okx']) {
        const payment = await payFor(world, path);
        expectPaid(await send(world, path, payment), payment);
      }
      await healthWhen(world, (entry) => entry.supported === 'ok');
      for (const call of world.facilitator.calls) {
        expectOkx(call);
        assert.equal(call.target, `${OKX_PATH}/${call.operation}`);
        const body = call.body.length === 0 ? {} : (JSON.parse(call.body.toString()) as Record<string, unknown>);
        assert.equal(body['syncSettle'], call.operation === 'settle' ? true : undefined);
      }
      for (const secret of Object.values(OKX)) assert.ok(!world.gate.printed.includes(secret));

      const path = '/after/okx-pending';
      const payment = await payFor(world, path);
      world.facilitator.gatekeeper = ({ operation, payer, nonce, network }) =>
        operation === 'verify'
          ? wrap({ isValid: true, payer })
          : wrap({ success: true, payer, network, transaction: transactionOf(payer, nonce), status: 'pending' });
      const answer = await send(world, path, payment);
      expectProblem(answer, UNKNOWN);
      assert.ok(!answer.text.includes('the paid content'), 'what is pending is not paid');
    } finally {
      await world.stop();
    }
  });
});

describe('a key that is refused', () => {
  const refusals: Readonly<Record<string, Reply>> = {
    '401 JSON': { kind: 'json', status: 401, body: { errorType: 'unauthorized', errorMessage: 'no' } },
    '403 HTML': { kind: 'raw', status: 403, headers: { 'Content-Type': 'text/html' }, body: '<h1>Forbidden</h1>' },
  };
  for (const [what, reply] of Object.entries(refusals)) {
    it(`${what} is the operator's matter: he is told the secret, the payer pays nothing and may come again`, async () => {
      const key = cdpKey('EdDSA');
      const world = await openCdp(key);
      try {
        const path = '/after/refused-key';
        const payment = await payFor(world, path);
        const started = performance.now();
        world.facilitator.gatekeeper = () => reply;
        // More often than the breaker lets failures through: it is one answer throughout.
        for (let turn = 0; turn < 12; turn += 1) expectProblem(await send(world, path, payment), NOT_CONFIGURED);
        expectCalls(world, payment.payer, path, { verify: 12, settle: 0, origin: 0 });
        const line = `farebox: ${world.facilitator.url}${CDP_PATH}/verify refuses the key in CDP_API_KEY_SECRET`;
        await eventually('the log names the secret', () => world.gate.printed.includes(line), PATIENCE_MS);
        const times = world.gate.printed.split(line).length - 1;
        assert.ok(times <= 1 + (performance.now() - started) / 60_000, `said ${times} times`);
        world.facilitator.gatekeeper = undefined;
        expectPaid(await send(world, path, payment), payment);
      } finally {
        await world.stop();
      }
    });
  }

  it('one that nothing can be signed with is never sent, and the operator is told', async () => {
    // P-256 in form; zero is no key.
    const algorithm = '301306072a8648ce3d020106082a8648ce3d030107';
    const der = Buffer.from(`3041020100${algorithm}042730250201010420${'00'.repeat(32)}`, 'hex');
    const secret = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----`;
    const world = await openCdp({ ...cdpKey('ES256'), secret });
    try {
      const path = '/after/no-key';
      const payment = await payFor(world, path);
      expectProblem(await send(world, path, payment), NOT_CONFIGURED);
      assert.equal(world.facilitator.calls.length, 0);
      assert.equal(world.origin.of(path).length, 0);
      await eventually(
        'the log names the secret',
        () => /signing failed with the key in CDP_API_KEY_SECRET/.test(world.gate.printed),
        PATIENCE_MS,
      );
      assert.ok(!world.gate.printed.includes(der.toString('base64').slice(0, 40)));
    } finally {
      await world.stop();
    }
  });

  it('at settle it proves nothing: the outcome is unknown until a good key finds out', async () => {
    const key = cdpKey('ES256');
    const world = await openCdp(key);
    try {
      const path = '/after/refused-at-settle';
      const payment = await payFor(world, path);
      world.facilitator.gatekeeper = ({ operation }) => (operation === 'settle' ? refusals['401 JSON'] : undefined);
      expectProblem(await send(world, path, payment), UNKNOWN);
      await eventually(
        'the log names the secret',
        () => world.gate.printed.includes('/settle refuses the key in CDP_API_KEY_SECRET'),
        PATIENCE_MS,
      );
      world.facilitator.gatekeeper = undefined;
      await eventually('the payment is settled', () => world.facilitator.settled.size === 1, PATIENCE_MS);
      for (const call of world.facilitator.of('settle')) expectCdp(key, call);
    } finally {
      await world.stop();
    }
  });
});

describe('where a key never goes', () => {
  //
  it('after a redirect, of verify, settle or supported', async () => {
    const key = cdpKey('EdDSA');
    const [world, elsewhere] = await Promise.all([openCdp(key), Facilitator.start()]);
    try {
      for (const [operation, code] of [
        ['verify', 'facilitator_unavailable'],
        ['settle', 'settlement_unknown'],
      ] as const) {
        for (const status of [301, 302, 307, 308]) {
          const path = `/after/redirect-${operation}-${status}`;
          const payment = await payFor(world, path);
          const Location = `${elsewhere.url}${CDP_PATH}/${operation}`;
          world.facilitator.script(payment.payer, { [operation]: { kind: 'raw', status, headers: { Location }, body: '' } });
          assert.equal(jsonOf(await send(world, path, payment))['code'], code, `${operation} ${status}`);
        }
      }
      world.facilitator.supported = { kind: 'raw', status: 307, headers: { Location: `${elsewhere.url}${CDP_PATH}/supported` }, body: '' };
      await healthWhen(world, (entry) => entry.supported === 'redirect');
      assert.deepEqual(elsewhere.calls, []);
      for (const operation of ['verify', 'settle', 'supported']) {
        assert.ok(world.gate.printed.includes(`${CDP_PATH}/${operation} redirects, which is not followed`), operation);
      }
    } finally {
      await Promise.all([world.stop(), elsewhere.stop()]);
    }
  });

  it('to the facilitator of before, which still hears of its own payments', async () => {
    const key = cdpKey('EdDSA');
    const [world, next] = await Promise.all([openCdp(key), Facilitator.start()]);
    try {
      const path = '/before/moved';
      const payment = await payFor(world, path);
      world.facilitator.script(payment.payer, { settle: { kind: 'destroy' } });
      expectProblem(await send(world, path, payment), UNKNOWN);
      for (const call of world.facilitator.calls) expectCdp(key, call);
      await world.gate.restart('dispose', { vars: { FACILITATOR_URL: [{ url: next.url, auth: 'cdp' }] } });
      const before = world.facilitator.calls.length;
      world.facilitator.script(payment.payer, {});
      expectProblemOrPaid(await send(world, path, payment));
      await eventually('it is sent once more', () => world.facilitator.calls.length > before, PATIENCE_MS);
      for (const call of world.facilitator.calls.slice(before)) expectNoKey(call);
      const other = await payFor(world, '/before/moved-to');
      expectPaid(await send(world, '/before/moved-to', other), other);
      for (const call of next.calls) expectCdp(key, call);
    } finally {
      await Promise.all([world.stop(), next.stop()]);
    }
  });
});

function expectProblemOrPaid({ status, text }: { readonly status: number; readonly text: string }): void {
  assert.ok(status === 200 || text.includes('settlement_unknown'), `${status} ${text.slice(0, 200)}`);
}

type Entry = { readonly url: string; readonly supported: string; readonly networks_missing: readonly string[]; readonly at: number | null };

async function healthWhen(world: World, holds: (entry: Entry) => boolean): Promise<void> {
  await eventually(
    'health says so',
    async () => {
      const { facilitators } = jsonOf(await world.gate.raw('GET', '/_farebox/health')) as unknown as { facilitators: readonly Entry[] };
      return facilitators.every(holds);
    },
    PATIENCE_MS,
  );
}
