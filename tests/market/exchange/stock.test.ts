/** Stock clients buy a job by one request, `POST /api/v1/jobs`, without any change. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { privateKeyToAccount } from 'viem/accounts';

import { LIVE, startExchangeWorld, type Wallet } from '../../../demo/exchange-world.mjs';
import { localSigner, wrapFetch } from '../../../pkg/dist/index.js';
import { payingFetch } from '../../e2e/clients.ts';
import { mppxFetch } from '../../support/mppx-client.ts';
import { sharedWorld } from '../../support/suite.ts';

const LIMIT = { timeout: 120_000 };
type Fetch = typeof fetch;

const clients: readonly (readonly [name: string, make: (inner: Fetch, payer: Wallet) => Fetch])[] = [
  ['@x402/fetch', (inner, payer) => payingFetch(inner, payer) as Fetch],
  ['mppx', (inner, payer) => mppxFetch(inner, privateKeyToAccount(payer.privateKey)) as Fetch],
  [
    'farebox',
    (inner, payer) => wrapFetch(inner, { signer: localSigner(payer.privateKey), policy: { perPayment: '$0.05', perDay: '$1' } }) as Fetch,
  ],
];

describe('a job by one request', () => {
  const world = sharedWorld(startExchangeWorld);

  for (const [name, make] of clients) {
    test(`is bought with ${name}, and five of its paid requests are one job`, LIMIT, async () => {
      const capability = `for ${name}`;
      const seller = await world.seller({ capability });
      const buyer = await world.wallet();
      const body = JSON.stringify({ buyer_id: buyer.address, capability, prompt: 'hello', network_profile: LIVE });
      const request = { method: 'POST', headers: { 'content-type': 'application/json', ...world.client() }, body };
      /** What the client sent with its payment. */
      let sent: Request | undefined;
      const inner = (async (input: Parameters<Fetch>[0], init?: RequestInit) => {
        const outgoing = new Request(input, init);
        const isPaid = outgoing.headers.has('payment-signature') || /^payment /i.test(outgoing.headers.get('authorization') ?? '');
        if (isPaid) sent = outgoing.clone();
        return fetch(outgoing);
      }) as Fetch;
      const held = await world.held();
      const answer = await make(inner, buyer)(`${world.url}/api/v1/jobs`, request);
      const job = (await answer.clone().json()) as Record<string, unknown>;
      assert.equal(answer.status, 200, JSON.stringify(job));
      assert.deepEqual([job['status'], (await world.held()) - held], ['paid', 5000n]);
      const paid = sent ?? assert.fail('the client paid by no request');
      const again = await Promise.all(
        [1, 2, 3, 4].map(async () => {
          const repeated = await fetch(paid.clone());
          return [repeated.status, await repeated.json()];
        }),
      );
      assert.deepEqual(
        again,
        Array.from({ length: 4 }, () => [200, job]),
      );
      assert.equal((await world.held()) - held, 5000n);
      const { jobs } = (await world.call(seller, 'sellers/jobs')).json;
      assert.deepEqual(
        jobs.map(({ job_id, payload }: any) => [job_id, payload.prompt]),
        [[job['job_id'], 'hello']],
      );
    });
  }

  test('five paid requests at once are one job', LIMIT, async () => {
    const seller = await world.seller({ capability: 'at once', capacity: 5 });
    const buyer = await world.wallet();
    const body = JSON.stringify({ buyer_id: buyer.address, capability: 'at once', prompt: 'hello', network_profile: LIVE });
    let paid: Promise<(number | any)[]>[] = [];
    const inner = (async (input: Parameters<Fetch>[0], init?: RequestInit) => {
      const outgoing = new Request(input, init);
      if (!outgoing.headers.has('payment-signature')) return fetch(outgoing);
      paid = [1, 2, 3, 4].map(async () => {
        const repeated = await fetch(outgoing.clone());
        return [repeated.status, await repeated.json()];
      });
      return fetch(outgoing.clone());
    }) as Fetch;
    const held = await world.held();
    const answer = await payingFetch(inner, buyer)(`${world.url}/api/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...world.client() },
      body,
    });
    const all = [[answer.status, await answer.json()], ...(await Promise.all(paid))];
    const ids = new Set(all.filter(([status]) => status === 200).map(([, job]) => job.job_id));
    assert.equal(ids.size, 1, JSON.stringify(all));
    // Who comes while it is settled may be told to ask again.
    assert.ok(
      all.every(([status]) => status === 200 || status === 409 || status === 503),
      JSON.stringify(all),
    );
    assert.equal((await world.held()) - held, 5000n);
    assert.equal((await world.call(seller, 'sellers/jobs')).json.jobs.length, 1);
  });
});
