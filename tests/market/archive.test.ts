/** A ledger whose old rows go into a bucket: nothing is lost or doubled, however the bucket behaves and whenever the market is killed. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { FakeTreasury, tokenOf } from './support/treasury.ts';
import { type Answer, Bucket, Market, OPERATOR } from './support/worker.ts';

const OUTCOMES = [
  ['paid_ok', 'success', 'yes'],
  ['free', 'success', 'no'],
  ['not_paid_failed', 'failed', 'no'],
] as const;

/** Rows of an export. */
const rowsOf = (count: number): any[] =>
  Array.from({ length: count }, (_, index) => {
    const [outcome, status, paid] = OUTCOMES[index % 3] ?? assert.fail();
    return {
      id: `inv_mhz0abcd_${String(index).padStart(6, '0')}`,
      agentId: `agent-${index % 5}`,
      organization: 'acme',
      skillId: `skill-${index % 7}`,
      version: '1.0.0',
      number: index + 1,
      amountXLM: 0.01,
      amount: '0.001',
      asset: 'USDC',
      network: 'eip155:84532',
      txHash: paid === 'yes' ? `0x${String(index).padStart(64, '0')}` : '',
      invokedAt: 1_790_000_000_000 + index,
      status,
      outcome,
      paid,
    };
  });
const linesOf = (rows: readonly any[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
const numbersOf = (rows: readonly any[]): string => rows.map(({ number }) => number).join();

class Book {
  readonly market: Market;
  readonly rows: any[];

  constructor(market: Market, rows: any[]) {
    this.market = market;
    this.rows = rows;
  }

  async fill(from = 0, to = this.rows.length): Promise<void> {
    for (let at = from; at < to; at += 1_000) {
      const { status, text } = await this.put(this.rows.slice(at, Math.min(at + 1_000, to)));
      assert.equal(status, 200, text);
    }
  }

  put(rows: readonly any[]): Promise<Answer> {
    return this.market.ask('POST', '/api/marketplace/import', { token: OPERATOR, body: linesOf(rows) });
  }

  read(path: string): Promise<Answer> {
    return this.market.ask('GET', `/api/marketplace/${path}`, { token: OPERATOR });
  }

  async exported(format: string): Promise<string> {
    let text = '';
    for (let cursor: string | null = '0'; ; ) {
      const page = await this.read(`export?format=${format}&cursor=${cursor}`);
      assert.equal(page.status, 200, page.text);
      cursor = page.headers.get('farebox-cursor');
      if (cursor === null) return text;
      text += page.text;
    }
  }

  async isWhole(): Promise<void> {
    const lines = (await this.exported('jsonl'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(lines.length, this.rows.length);
    assert.deepEqual(lines, this.rows);
  }

  /** Numbers of the rows of each object of the archive. */
  async shelves(): Promise<string[]> {
    const objects = await this.market.archived();
    const names = [...objects.keys()].sort();
    return names.map((name) => {
      const text = objects.get(name) ?? '';
      return text.startsWith('{')
        ? numbersOf(
            text
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line)),
          )
        : 'cut';
    });
  }

  shelved(count: number): Promise<string[]> {
    return eventually(`${count} shelves`, async () => {
      const shelves = await this.shelves();
      return shelves.length === count && !shelves.includes('cut') && shelves;
    });
  }
}

describe('50,001 invocations of a market with a bucket', () => {
  let book: Book;
  before(async () => {
    book = new Book(await Market.start({ bucket: new Bucket() }), rowsOf(50_001));
  });
  after(() => book.market.stop());

  it('are 50,000 that stay, until one more moves the oldest 1,000 into the bucket', async () => {
    await book.fill(0, 50_000);
    assert.deepEqual(await book.shelves(), []);
    await book.fill(50_000);
    assert.deepEqual(await book.shelved(1), [numbersOf(book.rows.slice(0, 1_000))]);
  });

  it('are listed newest first to the oldest, found by their ids, and exported as they came', async () => {
    const newest = await book.read('invocations?limit=1');
    assert.equal(newest.json.invocations[0].number, 50_001);
    const oldest = await book.read('invocations?limit=1000&cursor=1500');
    assert.deepEqual(
      oldest.json.invocations.map(({ number }: any) => number),
      Array.from({ length: 1_000 }, (_, index) => 1_499 - index),
    );
    const last = await book.read('invocations?limit=1000&cursor=500');
    assert.deepEqual([last.json.invocations.length, last.json.cursor], [499, undefined]);
    for (const row of [book.rows[0], book.rows[999], book.rows[1_000]]) {
      const { json } = await book.read(`invocations/${row.id}`);
      assert.deepEqual(json.invocation, row);
    }
    await book.isWhole();
    const csv = (await book.exported('csv')).trim().split('\r\n');
    assert.equal(csv.length, 50_002);
    assert.ok(csv[1]?.startsWith(`1,${book.rows[0].id},`), csv[1]);
  });

  it('keep their totals, ids and transactions', async () => {
    const { json } = await book.read('agents/agent-0/spend');
    const paid = book.rows.filter(({ agentId, outcome }) => agentId === 'agent-0' && outcome === 'paid_ok').length;
    assert.deepEqual([json.totalXLM, json.outcomes.paid_ok], [paid / 100, paid]);
    const next = { ...book.rows[0], number: 50_002 };
    for (const again of [next, { ...next, id: 'inv_other_000000' }, { ...next, txHash: '0x1' }]) {
      assert.deepEqual((await book.put([again])).json, { ok: false, error: 'line 1 is no row of an export', code: 'invalid_request' });
    }
  });
});

//
it("agents' looks into the archive take turns, and newer rows wait for no one", { timeout: 120_000 }, async () => {
  const vars = { LEDGER_ROWS: 1_000 };
  const book = new Book(await Market.start({ bucket: new Bucket(), treasury: new FakeTreasury().bound, vars }), rowsOf(2_200));
  try {
    await book.fill();
    await book.shelved(2);
    await book.market.delay({ opened: 50 });
    const look = (agent: string, query: string): Promise<Answer> =>
      book.market.ask('GET', `/api/marketplace/invocations?${query}`, { token: tokenOf(agent) });
    let served = 0;
    const crowd = Array.from({ length: 20 }, () =>
      look('agent-1', 'limit=1000').then(({ status }) => {
        served += 1;
        return status;
      }),
    );
    await eventually('the crowd waits', () => served > 0);
    const before = served;
    assert.equal((await look('agent-2', 'limit=1')).status, 200);
    assert.ok(served - before <= 1, 'newer rows wait for no one');
    assert.equal((await look('agent-2', 'limit=1000')).status, 200);
    assert.ok(served - before <= 4, `${served - before} of the crowd had a turn before another agent`);
    assert.deepEqual(new Set(await Promise.all(crowd)), new Set([200]));
    assert.equal((await book.read('invocations?limit=1000&cursor=1500')).status, 200);
  } finally {
    await book.market.stop();
  }
});

// They wait for deadlines, each for its own.
describe('a market whose bucket', { concurrency: 8 }, () => {
  const start = async (test: TestContext, way: Bucket['way']): Promise<{ book: Book; bucket: Bucket }> => {
    const bucket = new Bucket();
    bucket.way = way;
    const book = new Book(await Market.start({ bucket, vars: { LEDGER_ROWS: 1_000 } }), rowsOf(3_200));
    test.after(() => book.market.stop());
    return { book, bucket };
  };
  const all = [
    [0, 1_000],
    [1_000, 2_000],
    [2_000, 3_000],
  ].map(([from, to]) => numbersOf(rowsOf(3_200).slice(from, to)));

  for (const way of ['refuse', 'cut', 'never', 'lost'] as const) {
    it(`does "${way}" for what is put keeps its rows, says so, and goes on once the bucket does`, async (test) => {
      const { book, bucket } = await start(test, (what) => (what === 'put' ? way : 'pass'));
      await book.fill();
      await eventually('it is said', () => book.market.logs.includes('the archive did not take invocations/000000000001-000000001000-'));
      await book.isWhole();
      bucket.way = () => 'pass';
      // 3,200 rows: a shelf at a time until 1,000 or fewer are left.
      assert.deepEqual(await book.shelved(3), all);
      await book.isWhole();
    });
  }

  it('gives something else back when it is read keeps its rows', async (test) => {
    const { book } = await start(test, (what) => (what === 'get' ? 'cut' : 'pass'));
    await book.fill();
    await eventually('it is said', () => book.market.logs.includes('the archive did not take'));
    await book.isWhole();
    assert.equal((await book.shelves()).length, 1);
  });

  for (const [when, what] of [
    ['before the bucket has a shelf', 'put'],
    ['after the bucket has a shelf, before its rows are gone', 'get'],
  ] as const) {
    it(`is killed ${when} has each row once`, async (test) => {
      const { book, bucket } = await start(test, (asked) => (asked === what ? 'never' : 'pass'));
      await book.fill();
      await eventually('it is under way', () => bucket.asked.some((one) => one.what === what));
      await book.market.kill();
      await eventually('the market is there', () =>
        book.isWhole().then(
          () => true,
          () => false,
        ),
      );
      bucket.way = () => 'pass';
      assert.deepEqual(await book.shelved(3), all);
      await book.isWhole();
      await book.market.kill();
      await eventually('the market is there', () =>
        book.isWhole().then(
          () => true,
          () => false,
        ),
      );
    });
  }

  it('is down answers 503 for old rows, and newer ones as ever', async (test) => {
    const { book, bucket } = await start(test, () => 'pass');
    await book.fill();
    await book.shelved(3);
    const old = `invocations/${book.rows[0].id}`;
    assert.deepEqual((await book.read(old)).json.invocation, book.rows[0]);
    for (const way of ['refuse', 'cut'] as const) {
      bucket.way = () => way;
      for (const path of [old, 'invocations?cursor=900', 'export?format=csv']) {
        const { status, json, headers } = await book.read(path);
        assert.deepEqual([status, json.error, headers.get('retry-after')], [503, 'archive_unavailable', '5'], path);
      }
      assert.equal((await book.read('invocations?limit=150')).json.invocations.length, 150);
      assert.equal((await book.read(`invocations/${book.rows[3_100].id}`)).status, 200);
    }
  });
});
