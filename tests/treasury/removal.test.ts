/** What has ended leaves the books after KEEP_DAYS, in the object's own database, and its key pays no second time. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, startTreasuryWorld } from './buyers.ts';

const DAY_SECS = 86_400;

const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    vars: { KEEP_DAYS: '40' },
    organizations: ({ scripted }) => [
      { name: 'acme', policy: { allowedOrigins: [scripted.url], perMonth: { USDC: '1.00' } }, agents: [{ name: 'buyer' }] },
    ],
  }),
);

const shop = (path: string): string => `${world.merchants.scripted.url}/${path}`;
const exported = () =>
  fetch(`${world.treasury.url}/api/organizations/acme/export?format=jsonl`, {
    headers: { authorization: `Bearer ${world.operatorToken}` },
  });
const lines = async (): Promise<{ outcome: string; requestUrl: string; times: number }[]> =>
  (await (await exported()).text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

test('a payment that ended leaves after its days, and its key pays nothing a second time', { timeout: 120_000 }, async () => {
  const old = () => buy(clientOf(world, 'acme', 'buyer'), shop('honest/old'), undefined, { idempotencyKey: 'old' });
  const first = await old();
  assert.equal(first.kind, 'success', first.reason);
  for (let turn = 0; turn < 3; turn += 1) await buy(clientOf(world, 'acme', 'buyer'), shop('honest/dear?amount=5000000'));
  assert.deepEqual(
    new Map((await lines()).map(({ outcome, times }) => [outcome, times])),
    new Map([
      ['deny', 3],
      ['allow', 1],
    ]),
  );
  assert.equal((await exported()).headers.get('farebox-complete-since'), null);
  await world.mine(12);
  await eventually(
    'the payment is confirmed',
    () => world.operate('GET', 'organizations/acme/audit'),
    ({ json }) => json.items[0]?.confirmed === '0.01',
  );

  await world.wait(39 * DAY_SECS);
  assert.equal((await buy(clientOf(world, 'acme', 'buyer'), shop('honest/new'))).kind, 'success');
  await world.wait(2 * DAY_SECS);
  await eventually('the old rows have left', lines, (all) => all.length === 1 && all[0]?.requestUrl === shop('honest/new'));
  const since = (await exported()).headers.get('farebox-complete-since') ?? '';
  assert.ok(Date.parse(since) > 0, since);
  const { json: audit } = await world.operate('GET', 'organizations/acme/audit');
  assert.deepEqual([audit.completeSince, audit.items[0]?.signed], [since, '0.01']);

  const before = (await world.transfers()).size;
  const again = await old();
  assert.deepEqual([again.kind, again.status], ['request_failed', 409], again.reason);
  assert.match(again.reason ?? '', /A payment was signed under this idempotency key/);
  assert.equal((await world.transfers()).size, before);
});

test('an answer of a megabyte leaves after six hours, and its key gets the decision without it', { timeout: 120_000 }, async () => {
  const ask = () => buy(clientOf(world, 'acme', 'buyer'), shop('big'), undefined, { idempotencyKey: 'big' });
  const first = await ask();
  assert.deepEqual([first.kind, first.body.length], ['success', 1024 * 1024], first.reason);
  assert.equal((await ask()).body, first.body);
  const before = (await world.transfers()).size;
  await world.wait(6 * 3600 + 60);
  const later = await eventually('the answer has left', ask, ({ body }) => body === '');
  assert.deepEqual([later.kind, later.status, later.headers.get('x-farebox-removed')], ['success', 200, 'true']);
  assert.deepEqual(later.receipt, first.receipt);
  assert.equal((await world.transfers()).size, before);
});

//
test('a long answer that a short one replaces leaves nothing behind', { timeout: 120_000 }, async () => {
  const ask = () => buy(clientOf(world, 'acme', 'buyer'), shop('shrinking'), undefined, { idempotencyKey: 'shrinking' });
  const first = await ask();
  assert.deepEqual([first.kind, first.body.length], ['success', 1024 * 1024], first.reason);
  assert.equal(partsOf(first.paidRequestId), 2);
  const second = await ask();
  assert.deepEqual([second.kind, second.paidRequestId], ['success', first.paidRequestId], second.reason);
  assert.ok(second.body.length < 1000, second.body.slice(0, 1000));
  assert.equal(partsOf(first.paidRequestId), 0);
});

/** How many parts the treasury stores of a decision's answer. */
function partsOf(decision: string | undefined): number {
  return Number(execFileSync('python3', ['-c', PARTS, world.folder, decision ?? ''], { encoding: 'utf8' }));
}

/** Reads copies: the runtime goes on with its own files. */
const PARTS = `
import glob, shutil, sqlite3, sys, tempfile
folder, owner = sys.argv[1:]
count = 0
with tempfile.TemporaryDirectory() as copies:
    for number, name in enumerate(glob.glob(folder + '/**/*.sqlite', recursive=True)):
        copy = f'{copies}/{number}.sqlite'
        for end in ['', '-wal']:
            if glob.glob(glob.escape(name + end)):
                shutil.copy(name + end, copy + end)
        database = sqlite3.connect(copy)
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'parts'").fetchone():
            count += database.execute('SELECT count(*) FROM parts WHERE owner = ?', [owner]).fetchone()[0]
        database.close()
print(count)
`;
