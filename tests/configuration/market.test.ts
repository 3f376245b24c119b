/** `npm run check` for the file of a market: wrong settings, and what is wrong around them, each with its place. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { check, type Finding, type Report } from '../../scripts/check/index.mjs';
import { openFolder, tomlOf, type Vars } from './table.ts';

const folder = openFolder();
after(() => folder.remove());

const OBJECTS = `[[durable_objects.bindings]]
name = "SKILLS"
class_name = "Skills"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Skills"]
`;
const KV = '[[kv_namespaces]]\nbinding = "CONFIG"\nid = "0123456789abcdef0123456789abcdef"\n';
const GATE = '[[services]]\nbinding = "GATE"\nservice = "farebox"\n';
const TREASURY = '[[services]]\nbinding = "TREASURY"\nservice = "farebox-treasury"\n';
const R2 = '[[r2_buckets]]\nbinding = "ARCHIVE"\nbucket_name = "farebox-market-archive"\n';
const headOf = (...parts: string[]): string => ['name = "farebox-market"\nmain = "index.js"\ncompatibility_date = "2026-04-01"\n', ...parts].join('\n');
const HEAD = headOf(OBJECTS, KV, GATE, TREASURY);
const GOOD: Vars = { MARKET_URL: 'https://skills.example.net', NETWORK: 'eip155:84532' };
const SECRETS: Vars = { MARKET_SECRET: 'ab'.repeat(32), OPERATOR_TOKEN: 'cd'.repeat(16), ORIGIN_SECRET: 'ef'.repeat(32), LOOKUP_TOKEN: '12'.repeat(16) };

async function checked(vars: Vars, { head = HEAD, secrets = SECRETS, ask = true } = {}): Promise<Report & { text: string }> {
  const text = tomlOf(vars, { head });
  folder.write(text, secrets);
  return { ...(await check({ file: folder.file, offline: true, secrets: ask })), text };
}

/** What the file has where a finding points to. */
const at = (text: string, { line, column }: Finding): string => text.split('\n')[line - 1]?.slice(column - 1) ?? '';

it('a good file has no findings', async () => {
  const { errors, warnings, ok } = await checked(GOOD);
  assert.deepEqual([ok, errors, warnings], [true, [], []]);
});

it('secrets that are not here are told by name, and are no errors', async () => {
  const { ok, notes } = await checked(GOOD, { secrets: {}, ask: false });
  assert.deepEqual([ok, notes.map(({ variable }) => variable).sort()], [true, ['LOOKUP_TOKEN', 'MARKET_SECRET', 'OPERATOR_TOKEN', 'ORIGIN_SECRET']]);
});

it('the file of the repository has no error, for test money and for real money', async () => {
  for (const env of [undefined, 'production']) {
    const { errors } = await check({ file: 'src/market/wrangler.toml', offline: true, ...(env === undefined ? {} : { env }) });
    assert.deepEqual(errors, [], env);
  }
});

const set = (change: Vars): Vars => ({ ...GOOD, ...change });
describe('an error has its variable, a sentence and its place', () => {
  const wrong: readonly (readonly [name: string, vars: Vars, variable: string, says: string])[] = [
    ['an address with a path', set({ MARKET_URL: 'https://skills.example.net/market' }), 'MARKET_URL', 'without a path'],
    ['a network that is none', set({ NETWORK: 'nowhere' }), 'NETWORK', ''],
    ['a main network where only test networks are meant', set({ NETWORK: 'eip155:8453', TEST_NETWORKS_ONLY: true }), 'NETWORK', 'is a main network'],
    ['mock payments on a main network', set({ NETWORK: 'eip155:8453', MOCK: true }), 'MOCK', 'needs TEST_NETWORKS_ONLY'],
    ['local sellers with real money', set({ NETWORK: 'eip155:8453', ALLOW_LOCAL_SELLERS: true }), 'ALLOW_LOCAL_SELLERS', 'needs TEST_NETWORKS_ONLY'],
    ['a fee without a payee', set({ LISTING_FEE: '$1.00' }), 'LISTING_FEE', 'needs PAY_TO'],
    ['a fee that is no amount', set({ LISTING_FEE: 'one dollar', PAY_TO: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' }), 'LISTING_FEE', 'must be an amount'],
    ['a cap that is no amount', set({ AGENT_DAILY_CAP: 'much' }), 'AGENT_DAILY_CAP', 'must be an amount'],
    ['another system\'s shapes', set({ COMPATIBILITY: 'other' }), 'COMPATIBILITY', 'open-stellar'],
    ['a bound of the ledger without the bucket for older rows', set({ LEDGER_ROWS: 2_000 }), 'LEDGER_ROWS', 'needs the R2 bucket ARCHIVE'],
    ['routes that are no list', set({ OWN_ROUTES: { path: '/a' } }), 'OWN_ROUTES', 'must be a list'],
  ];
  for (const [name, vars, variable, says] of wrong) {
    it(name, async () => {
      const { ok, errors, text } = await checked(vars);
      const found = errors.find((error) => error.variable === variable) ?? assert.fail(JSON.stringify(errors));
      assert.deepEqual([ok, found.remedy.includes(says)], [false, true], found.remedy);
      assert.match(at(text, found), new RegExp(`^"?${variable}"? =`));
    });
  }

  const around: readonly (readonly [name: string, head: string, variable: string, kind: 'errors' | 'warnings'])[] = [
    ['no KV namespace of the gate', headOf(OBJECTS, GATE, TREASURY), 'kv_namespaces', 'errors'],
    ['a KV namespace whose id is a placeholder', headOf(OBJECTS, KV.replace('0123456789abcdef0123456789abcdef', '0'.repeat(32)), GATE, TREASURY), 'kv_namespaces', 'warnings'],
    ['no gate', headOf(OBJECTS, KV, TREASURY), 'services', 'errors'],
    ['no treasury', headOf(OBJECTS, KV, GATE), 'services', 'warnings'],
    ['no objects', headOf(KV, GATE, TREASURY), 'SKILLS', 'errors'],
    ['a bucket under another name', headOf(OBJECTS, KV, GATE, TREASURY, R2.replace('ARCHIVE', 'ARCHIV')), 'r2_buckets', 'warnings'],
  ];
  for (const [name, head, variable, kind] of around) {
    it(name, async () => {
      const report = await checked(GOOD, { head });
      assert.ok(report[kind].some((finding) => finding.variable === variable), JSON.stringify(report));
    });
  }
});

describe('a bucket for old rows', () => {
  it('allows a bound of the ledger, from 1,000 to 50,000 rows', async () => {
    const head = headOf(OBJECTS, KV, GATE, TREASURY, R2);
    for (const [rows, isGood] of [[999, false], [1_000, true], [50_000, true], [50_001, false]] as const) {
      const { ok, errors, warnings } = await checked(set({ LEDGER_ROWS: rows }), { head });
      assert.deepEqual([ok, errors.map(({ variable }) => variable), warnings], [isGood, isGood ? [] : ['LEDGER_ROWS'], []], String(rows));
    }
  });
});
