/** Who is let in at the market's doors: paths, methods, bodies and tokens, before anything is decided. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type Answer, Market, OPERATOR } from './support/worker.ts';

const refusal = ({ status, json }: Answer): unknown[] => [status, json?.ok, json?.error];

describe('the doors of a market', () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market.stop());

  it('says that it is there', async () => {
    const { status, text, headers } = await market.ask('GET', '/_market/health');
    assert.deepEqual([status, text, headers.get('cache-control')], [200, '{"ok":true}', 'no-store']);
  });

  it('other paths are not found', async () => {
    for (const path of [
      '/api',
      '/api/marketplace',
      '/api/marketplacex',
      '/api/marketplace/elsewhere',
      '/api/marketplace/skills/x/elsewhere',
      '/_farebox/health',
      '/skills',
      '/skills/',
      '/s',
      '/index.html',
    ]) {
      assert.deepEqual(refusal(await market.ask('GET', path)), [404, false, 'Not found'], path);
    }
  });

  it('the paths of the original are not there unless compatibility is asked for', async () => {
    for (const path of ['/api/skills', '/api/agents/a/skills', '/api/protocol/x402/receipts', '/api/subscriptions/a/proof']) {
      assert.deepEqual(refusal(await market.ask('GET', path)), [404, false, 'Not found'], path);
    }
  });

  it('a path says which methods it has', async () => {
    const wrong = [
      ['PUT', '/api/marketplace/skills', 'GET, POST'],
      ['POST', '/api/marketplace/skills/x', 'GET, DELETE'],
      ['GET', '/api/marketplace/skills/x/invoke', 'POST'],
      ['GET', '/api/marketplace/skills/x/versions', 'POST'],
      ['POST', '/api/marketplace/invocations', 'GET'],
      ['DELETE', '/api/marketplace/invocations/x', 'GET'],
      ['POST', '/api/marketplace/agents/a/spend', 'GET'],
      ['POST', '/api/marketplace/export', 'GET'],
      ['GET', '/api/marketplace/import', 'POST'],
      ['POST', '/_market/health', 'GET'],
      ['POST', '/', 'GET, HEAD'],
      ['DELETE', '/skills/x', 'GET, HEAD'],
    ] as const;
    for (const [method, path, allowed] of wrong) {
      const answer = await market.ask(method, path);
      assert.deepEqual([...refusal(answer), answer.headers.get('allow')], [405, false, 'Method not allowed', allowed], `${method} ${path}`);
    }
  });

  it('what is sold at the gate is given to no one who comes past it', async () => {
    const shown: Record<string, string>[] = [
      {},
      { 'farebox-payment': 'p' },
      { 'farebox-payment': 'p', 'farebox-signature-v2': 't=1,v2=00' },
      { 'farebox-payment': 'p', 'farebox-signature-v2': `t=${Math.floor(Date.now() / 1000)},v2=${'0'.repeat(64)}` },
      { 'farebox-payment': 'p', 'farebox-signature-v2': `t=99999999999999999999,v2=${'0'.repeat(64)}` },
    ];
    for (const path of ['/s/x', '/s/x/more', '/packs/x/starter', '/fees/x']) {
      for (const headers of shown) assert.equal((await market.ask('POST', path, { headers, body: '{}' })).status, 403, path);
    }
  });

  it('a body of an owner is 64 KiB at most, whatever it holds', async () => {
    const limits = {
      '/api/marketplace/skills': 65_536,
      '/api/marketplace/skills/typed-data': 65_536,
      '/api/marketplace/skills/x/versions': 65_536,
    };
    for (const [path, limit] of Object.entries(limits)) {
      assert.deepEqual(
        refusal(await market.ask('POST', path, { body: 'a'.repeat(limit + 1) })),
        [413, false, 'Request body too large'],
        path,
      );
      assert.notEqual((await market.ask('POST', path, { body: 'a'.repeat(limit) })).status, 413, path);
    }
  });

  it('a body of an invocation by whoever shows no token is read up to 16 KiB', async () => {
    const asked = (bytes: number) => market.ask('POST', '/api/marketplace/skills/x/invoke', { body: 'a'.repeat(bytes) });
    assert.deepEqual(refusal(await asked(16_384)), [400, false, 'Invalid JSON body']);
    assert.deepEqual(refusal(await asked(16_385)), [401, false, 'Agent authentication required']);
  });

  it('a body that is no UTF-8 is no JSON', async () => {
    const response = await fetch(`${market.url}/api/marketplace/skills`, { method: 'POST', body: new Uint8Array([0x7b, 0xff, 0x7d]) });
    assert.deepEqual([response.status, await response.json()], [400, { ok: false, error: 'Invalid JSON body', code: 'invalid_request' }]);
  });

  it("the whole ledger is shown to no one without the operator's token", async () => {
    for (const token of ['', 'x', OPERATOR.slice(1), `${OPERATOR}x`, 'seller']) {
      for (const path of ['/api/marketplace/export', '/api/marketplace/metrics']) {
        assert.equal((await market.ask('GET', path, { token })).status, 401, path);
      }
    }
  });

  it('a token of the treasury is asked for there, and when that is down the answer says so', async () => {
    const answer = await market.ask('GET', '/api/marketplace/invocations', { token: 'fbt_acme_abcd_0123456789' });
    assert.deepEqual([...refusal(answer), answer.headers.get('retry-after')], [503, false, 'Treasury is not available', '5']);
  });

  it('a wrong configuration answers nothing, and the log says what is wrong', async () => {
    const broken = await Market.start({ vars: { MARKET_SECRET: 'short', MARKET_URL: 'nowhere' } });
    try {
      assert.deepEqual(refusal(await broken.ask('GET', '/api/marketplace/skills')), [503, false, 'not_configured']);
      assert.match(broken.logs, /farebox-market is not configured: MARKET_SECRET: /);
    } finally {
      await broken.stop();
    }
  });
});
