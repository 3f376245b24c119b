/** The operator's paths over HTTP, and a Worker that has the exchange alone: its first page, and its desk. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { NETWORK } from '../../../demo/chain.mjs';
import { type Market, startMarket } from '../../../scripts/market.mjs';
import { MARKET_PAGES } from '../../../scripts/pages.mjs';

const TOKEN = 't'.repeat(32);
const PROFILE = 'network_profile=demo-testnet';

describe('a Worker that has the exchange alone', { timeout: 60_000 }, () => {
  let market: Market;
  before(async () => {
    market = await startMarket({
      pages: MARKET_PAGES,
      vars: {
        // Without it there is no market of skills.
        MARKET_SECRET: '',
        MARKET_URL: 'https://gate.example.com',
        NETWORK,
        TEST_NETWORKS_ONLY: 'true',
        EXCHANGE_PROFILES: [{ profile: 'demo-testnet', network: NETWORK, hold: 'mock', bonds: `0x${'66'.repeat(20)}` }],
      },
      secrets: { OPERATOR_TOKEN: TOKEN, EXCHANGE_SECRET: 's'.repeat(32) },
    });
  });
  after(() => market?.stop());

  const ask = async (method: string, path: string, token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${market.url}${path}`, { method, headers, redirect: 'manual' });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  };

  it('leads from its first page to the exchange, which names no skills', async () => {
    const first = await ask('GET', '/');
    assert.deepEqual([first.status, first.headers.get('location')], [302, '/exchange']);
    const { status, text } = await ask('GET', '/exchange');
    assert.deepEqual([status, text.includes('Compute exchange'), text.includes('>Skills<')], [200, true, false]);
  });

  it('opens the operator’s paths to the token alone', async () => {
    const paths = ['profiles', 'overview', 'sellers', 'jobs', 'holds'].map((path) => ['GET', path, 200] as const);
    const named = [
      ['GET', 'jobs/00000000-0000-4000-8000-000000000000', 404],
      ['POST', 'holds/rcpt_none/ask', 404],
    ] as const;
    for (const [method, path, status] of [...paths, ...named]) {
      const url = `/api/v1/operator/${path}${path === 'profiles' ? '' : `?${PROFILE}`}`;
      for (const token of [undefined, '', 'wrong', `${TOKEN}t`]) {
        const refused = await ask(method, url, token);
        assert.deepEqual([refused.status, refused.json.code], [401, 'OPERATOR_TOKEN_INVALID'], url);
      }
      assert.equal((await ask(method, url, TOKEN)).status, status, url);
    }
  });

  it('names a wrong parameter, path, method and profile', async () => {
    const wrong = await ask('GET', `/api/v1/operator/jobs?${PROFILE}&sate=paid`, TOKEN);
    assert.deepEqual([wrong.status, wrong.json.parameter], [400, 'sate']);
    assert.equal((await ask('GET', '/api/v1/operator/nothing', TOKEN)).status, 404);
    const other = await ask('POST', '/api/v1/operator/jobs', TOKEN);
    assert.deepEqual([other.status, other.headers.get('allow')], [405, 'GET']);
    const none = await ask('GET', '/api/v1/operator/jobs?network_profile=live-mainnet', TOKEN);
    assert.equal(none.json.code, 'GATEWAY_CONFIG_MISSING');
  });

  // A-118
  it('serves its desk under a strict policy', async () => {
    const { status, headers } = await ask('GET', '/desk/');
    assert.equal(status, 200);
    for (const rule of ["default-src 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'", "frame-ancestors 'none'"])
      assert.ok(headers.get('content-security-policy')?.includes(rule), rule);
    assert.equal(headers.get('cache-control'), 'no-store');
  });
});
