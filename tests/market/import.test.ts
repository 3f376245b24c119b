/** An export of more than a body may have goes into another market by pages, through kills and repeats. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { type Answer, Market, OPERATOR } from './support/worker.ts';

const ROWS = 4_000;
const AT_ONCE = 1_000;
const lines = Array.from({ length: ROWS }, (_, index) =>
  JSON.stringify({
    id: `inv_mhz0abcd_${String(index).padStart(6, '0')}`,
    agentId: `agent-${index % 3}`,
    organization: 'acme',
    skillId: `skill-${index % 7}`,
    version: '1.0.0',
    number: index + 1,
    amountXLM: 1,
    amount: '0.1',
    asset: 'USDC',
    network: 'eip155:84532',
    txHash: `0x${String(index).padStart(64, '0')}`,
    invokedAt: 1_790_000_000_000 + index,
    status: 'success',
    outcome: 'paid_ok',
    paid: 'yes',
    receiptId: `receipt-${index}`,
  }),
);
const page = (at: number): string => lines.slice(at, at + AT_ONCE).join('\n');

describe('an export of more than 1 MiB', () => {
  let market: Market;
  before(async () => {
    market = await Market.start();
  });
  after(() => market?.stop());

  const put = (body: string): Promise<Answer> => market.ask('POST', '/api/marketplace/import', { token: OPERATOR, body });
  const exported = async (cursor: number): Promise<string> =>
    (await market.ask('GET', `/api/marketplace/export?format=jsonl&cursor=${cursor}`, { token: OPERATOR })).text;

  it('is too large as one body', async () => {
    assert.ok(lines.join('\n').length > 1_048_576);
    assert.equal((await put(lines.join('\n'))).status, 413);
    assert.equal(await exported(0), '');
  });

  it('goes in page by page, and a page after a kill is told where the ledger goes on', async () => {
    assert.deepEqual((await put(page(0))).json, { ok: true, imported: AT_ONCE });
    await market.kill();
    const again = await eventually('the market is there', () => put(page(0)).catch(() => undefined));
    assert.deepEqual([again.status, again.json.error], [409, 'The ledger goes on at number 1001']);
    assert.equal((await put(page(2 * AT_ONCE))).status, 409);
    for (const at of [1_000, 2_000, 3_000]) assert.equal((await put(page(at))).status, 200, String(at));
  });

  it('comes out with the same rows and numbers, and its totals', async () => {
    const out = (await Promise.all([0, 1_000, 2_000, 3_000].map(exported)))
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      out,
      lines.map((line) => JSON.parse(line)),
    );
    assert.equal(await exported(ROWS), '');
    const { json } = await market.ask('GET', '/api/marketplace/agents/agent-0/spend', { token: OPERATOR });
    assert.deepEqual([json.totalXLM, json.outcomes.paid_ok], [1_334, 1_334]);
  });
});
