/** What a facilitator says it serves: on show for the operator, and decides about no payment; and where it redirects to. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { kinds, type Reply } from './support/facilitator.ts';
import { eventually, expectNextGoodRequest, expectPaid, jsonOf, openWorld, payFor, send, type World } from './support/world.ts';

const HTML = { kind: 'raw', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<h1>Welcome</h1>' } as const;
const PATIENCE_MS = 40_000;

type Entry = { readonly url: string; readonly supported: string; readonly networks_missing: readonly string[]; readonly at: number | null };

async function health(world: World): Promise<Entry> {
  const answer = await world.gate.raw('GET', '/_farebox/health');
  assert.equal(answer.status, 200);
  const { ok, facilitators } = jsonOf(answer) as unknown as { ok: boolean; facilitators: readonly Entry[] };
  assert.equal(facilitators.length, 1);
  const entry = facilitators[0] as Entry;
  assert.equal(ok, ['ok', 'stale'].includes(entry.supported) && entry.networks_missing.length === 0, 'it is well if it can settle');
  return entry;
}

async function healthOnce(world: World, supported: string): Promise<Entry> {
  let entry = await health(world);
  await eventually(
    `supported is ${supported}`,
    async () => {
      entry = await health(world);
      return entry.supported === supported;
    },
    PATIENCE_MS,
  );
  return entry;
}

function asked(world: World): number {
  return world.facilitator.calls.filter((call) => call.operation === 'supported').length;
}

describe('what a facilitator says it serves', { concurrency: 4 }, () => {
  it('what it says of the extensions of a payment is in health, and what it does not take in the log', async () => {
    const world = await openWorld({ probe: true });
    try {
      const payment = await payFor(world, '/after/listed');
      const said = { bazaar: { status: 'rejected', rejectedReason: 'info.output\nis missing', payer: payment.payer } };
      const headers = { 'Content-Type': 'application/json', 'EXTENSION-RESPONSES': Buffer.from(JSON.stringify(said)).toString('base64') };
      const body = JSON.stringify({ isValid: true, payer: payment.payer });
      world.facilitator.script(payment.payer, { verify: { kind: 'raw', status: 200, headers, body } });
      expectPaid(await send(world, '/after/listed', payment), payment);
      const { extensions } = (await health(world)) as Entry & { extensions?: unknown };
      assert.deepEqual(extensions, { bazaar: { status: 'rejected', rejectedReason: 'info.output is missing' } });
      const line = `farebox: ${world.facilitator.url} does not take the extension bazaar: info.output is missing`;
      await eventually('it is logged', async () => world.gate.printed.includes(line));
      assert.ok(!JSON.stringify(extensions).includes(payment.payer));
    } finally {
      await world.stop();
    }
  });

  it('is asked for the first answer, then behind it, kept for ten minutes, and kept on when it fails later', async () => {
    const world = await openWorld({ probe: true });
    try {
      const { url } = world.facilitator;
      const { at, ...rest } = await health(world);
      assert.deepEqual(rest, { url, supported: 'ok', networks_missing: [] });
      assert.ok(Math.abs(Number(at) - Date.now() / 1000) < 60);
      for (let turn = 0; turn < 5; turn += 1) await health(world);
      assert.equal(asked(world), 1);
      world.facilitator.supported = HTML;
      await world.gate.ahead(500);
      assert.equal((await health(world)).supported, 'ok');
      assert.equal(asked(world), 1);
      await world.gate.ahead(110);
      assert.deepEqual(await healthOnce(world, 'stale'), { url, supported: 'stale', networks_missing: [], at });
      assert.equal(asked(world), 2);
      await health(world);
      assert.equal(asked(world), 2, 'one that failed is left in peace for a minute');
      world.facilitator.supported = kinds([]);
      await world.gate.ahead(70);
      assert.deepEqual((await healthOnce(world, 'ok')).networks_missing, ['eip155:84532']);
      const line = `farebox: ${url}/supported does not list eip155:84532`;
      await eventually('the log names it', () => world.gate.printed.includes(line), PATIENCE_MS);
    } finally {
      await world.stop();
    }
  });

  const exact = { x402Version: 2, scheme: 'exact', network: 'eip155:84532' };
  const answers: readonly (readonly [what: string, reply: Reply, supported: string, missing: readonly string[]])[] = [
    ['its version 1 name', kinds([{ ...exact, x402Version: 1, network: 'base-sepolia' }]), 'ok', []],
    ['among others and nonsense', kinds([null, 7, {}, { network: 7 }, { ...exact, network: 'eip155:1' }, exact]), 'ok', []],
    ['another network', kinds([{ ...exact, network: 'eip155:8453' }]), 'ok', ['eip155:84532']],
    ['another scheme', kinds([{ ...exact, scheme: 'upto' }]), 'ok', ['eip155:84532']],
    ['256 KiB', kinds([exact, { filler: 'a'.repeat(255_000) }]), 'ok', []],
    ['more than 256 KiB', kinds([exact, { filler: 'a'.repeat(270_000) }]), 'unknown', []],
    ['no list', { kind: 'json', body: { kinds: 'all' } }, 'wrong', []],
    ['an error', { kind: 'json', status: 500, body: { kinds: [exact] } }, 'wrong', []],
    ['HTML', HTML, 'wrong', []],
    ['nothing', { kind: 'destroy' }, 'unknown', []],
    ['one byte now and then', { kind: 'drip', text: JSON.stringify({ kinds: [exact] }), everyMs: 500 }, 'unknown', []],
  ];
  for (const [what, reply, supported, missing] of answers) {
    //
    it(`${what} is ${supported}${missing.length > 0 ? ' and missing' : ''}, and payments go on`, async () => {
      const world = await openWorld();
      try {
        world.facilitator.supported = reply;
        await health(world);
        await eventually('it is asked', () => asked(world) === 1, PATIENCE_MS);
        if (supported === 'unknown') await eventually('the log names it', () => world.gate.printed.includes('/supported '), PATIENCE_MS);
        const entry = await healthOnce(world, supported);
        assert.deepEqual(entry.networks_missing, missing);
        assert.equal(entry.at === null, supported !== 'ok');
        const connection = await world.gate.connect();
        await expectNextGoodRequest(world, connection);
        connection.close();
      } finally {
        await world.stop();
      }
    });
  }

  const moved =
    (to: (target: string) => string) =>
    (call: { readonly target: string; readonly headers: { readonly host?: string } }): Reply | undefined =>
      call.target.startsWith('/moved') ? undefined : { kind: 'raw', status: 308, headers: { location: to(call.target) }, body: '' };

  //
  it('a redirect on its own host is followed once and remembered', async () => {
    const world = await openWorld();
    try {
      world.facilitator.gatekeeper = moved((target) => `/moved${target}`);
      assert.equal((await health(world)).supported, 'ok');
      for (const path of ['/after/one', '/after/two', '/after/three']) {
        const payment = await payFor(world, path);
        expectPaid(await send(world, path, payment), payment);
      }
      const targets = world.facilitator.calls.map(({ target }) => target);
      for (const place of ['/supported', '/verify', '/settle']) assert.equal(targets.filter((target) => target === place).length, 1, place);
      assert.equal(world.facilitator.settled.size, 3);
    } finally {
      await world.stop();
    }
  });

  //
  it('a redirect to another host is not followed, and health says so', async () => {
    const world = await openWorld();
    try {
      const { port } = new URL(world.facilitator.url);
      world.facilitator.gatekeeper = moved((target) => `http://localhost:${port}/moved${target}`);
      assert.equal((await health(world)).supported, 'redirect');
      const answer = await send(world, '/after/one', await payFor(world, '/after/one'));
      assert.equal(answer.status, 503, answer.text);
      assert.deepEqual(
        world.facilitator.calls.filter(({ target }) => target.startsWith('/moved')),
        [],
      );
      assert.ok(world.gate.printed.includes('redirects'), 'the log names it');
    } finally {
      await world.stop();
    }
  });
});
