/** `npm run check` for the file of a market: wrong settings, and what is wrong around them, each with its place. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

import { Ajv } from 'ajv';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';

import { check, type Finding, type Report } from '../../scripts/check/index.mjs';
import { MARKET } from '../../scripts/check/names.mjs';
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
const headOf = (...parts: string[]): string =>
  ['name = "farebox-market"\nmain = "index.js"\ncompatibility_date = "2026-04-01"\n', ...parts].join('\n');
const HEAD = headOf(OBJECTS, KV, GATE, TREASURY);
const GOOD: Vars = { MARKET_URL: 'https://skills.example.net', NETWORK: 'eip155:84532' };
const SECRETS: Vars = {
  MARKET_SECRET: 'ab'.repeat(32),
  OPERATOR_TOKEN: 'cd'.repeat(16),
  ORIGIN_SECRET: 'ef'.repeat(32),
  LOOKUP_TOKEN: '12'.repeat(16),
};

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
  assert.deepEqual(
    [ok, notes.map(({ variable }) => variable).sort()],
    [true, ['LOOKUP_TOKEN', 'MARKET_SECRET', 'OPERATOR_TOKEN', 'ORIGIN_SECRET']],
  );
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
    [
      'a main network where only test networks are meant',
      set({ NETWORK: 'eip155:8453', TEST_NETWORKS_ONLY: true }),
      'NETWORK',
      'is a main network',
    ],
    ['mock payments on a main network', set({ NETWORK: 'eip155:8453', MOCK: true }), 'MOCK', 'needs TEST_NETWORKS_ONLY'],
    [
      'local sellers with real money',
      set({ NETWORK: 'eip155:8453', ALLOW_LOCAL_SELLERS: true }),
      'ALLOW_LOCAL_SELLERS',
      'needs TEST_NETWORKS_ONLY',
    ],
    ['a fee without a payee', set({ LISTING_FEE: '$1.00' }), 'LISTING_FEE', 'needs PAY_TO'],
    [
      'a fee that is no amount',
      set({ LISTING_FEE: 'one dollar', PAY_TO: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' }),
      'LISTING_FEE',
      'must be an amount',
    ],
    ['a cap that is no amount', set({ AGENT_DAILY_CAP: 'much' }), 'AGENT_DAILY_CAP', 'must be an amount'],
    ["another system's shapes", set({ COMPATIBILITY: 'other' }), 'COMPATIBILITY', 'open-stellar'],
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
    [
      'a KV namespace whose id is a placeholder',
      headOf(OBJECTS, KV.replace('0123456789abcdef0123456789abcdef', '0'.repeat(32)), GATE, TREASURY),
      'kv_namespaces',
      'warnings',
    ],
    ['no gate', headOf(OBJECTS, KV, TREASURY), 'services', 'errors'],
    ['no treasury', headOf(OBJECTS, KV, GATE), 'services', 'warnings'],
    ['no objects', headOf(KV, GATE, TREASURY), 'SKILLS', 'errors'],
    ['a bucket under another name', headOf(OBJECTS, KV, GATE, TREASURY, R2.replace('ARCHIVE', 'ARCHIV')), 'r2_buckets', 'warnings'],
  ];
  for (const [name, head, variable, kind] of around) {
    it(name, async () => {
      const report = await checked(GOOD, { head });
      assert.ok(
        report[kind].some((finding) => finding.variable === variable),
        JSON.stringify(report),
      );
    });
  }
});

const EXCHANGE = `[[durable_objects.bindings]]
name = "EXCHANGE"
class_name = "Exchange"

[[migrations]]
tag = "v2"
new_sqlite_classes = ["Exchange"]
`;
const ADDRESS = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const BONDS = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';
const LIVE: Vars = {
  profile: 'live-testnet',
  network: 'eip155:84532',
  hold: 'escrow',
  escrow: ADDRESS,
  bonds: BONDS,
  organization: 'acme',
  wallet: 'escrow',
};
const DEMO: Vars = { profile: 'demo-testnet', network: 'eip155:84532', hold: 'mock', bonds: BONDS };
const TILL = { path: '/till/[quote]', methods: ['POST'], price: { from: 'MARKET', max: '$100.00' }, confirm: 'chain' };
const OWN_ROUTES = [TILL];
const exchanging = (live: Vars, more: Vars = {}): Vars => set({ EXCHANGE_PROFILES: [DEMO, live], OWN_ROUTES, ...more });
const wrong: readonly (readonly [name: string, live: Vars, member: string, says: string])[] = [
  ['another profile', { ...LIVE, profile: 'live' }, 'profile', 'must be one of'],
  ['one profile twice', { ...LIVE, profile: 'demo-testnet' }, 'profile', 'is named twice'],
  ['a network that is none', { ...LIVE, network: 'no where' }, 'network', 'is not a network'],
  ['a main network for a test profile', { ...LIVE, network: 'eip155:8453' }, 'network', ''],
  ['an unknown token', { ...LIVE, asset: 'DOGE' }, 'asset', 'not a known token'],
  ['another way to hold money', { ...LIVE, hold: 'safe' }, 'hold', 'must be one of'],
  ['an escrow that is no address', { ...LIVE, escrow: '0x12' }, 'escrow', 'is not an address'],
  ['an escrow in other letters', { ...LIVE, escrow: ADDRESS.replace('c79C8', 'C79C8') }, 'escrow', 'is not an address'],
  ['one wallet for money and bonds', { ...LIVE, bonds: ADDRESS }, 'bonds', 'nothing else is paid to'],
  ['a most that is no amount', { ...LIVE, max_price: 'much' }, 'max_price', 'decimal text'],
  ['a least that is no amount', { ...LIVE, min_price: 'little' }, 'min_price', 'decimal text'],
  ['a least above the most', { ...LIVE, min_price: '2', max_price: '1' }, 'min_price', 'at most the greatest'],
  ['a day that is no amount', { ...LIVE, per_day: 'much' }, 'per_day', 'decimal text'],
  ['a wait that is too long', { ...LIVE, waits_secs: 241 }, 'waits_secs', 'from 1 to 240'],
  ['no blocks for a transfer', { ...LIVE, direct_transfers: 0 }, 'direct_transfers', '1 to 1000'],
  ['a restore in words', { ...LIVE, transfers_closed_before: 'yesterday' }, 'transfers_closed_before', 'unix time'],
  ['an answer that is neither', { ...LIVE, seller_signatures: 'yes' }, 'seller_signatures', 'true or false'],
  ['results that are judged by no one', { ...LIVE, unjudged: 'kept' }, 'unjudged', 'released or refunded'],
  ['an unknown member', { ...LIVE, colour: 'red' }, 'colour', 'is not known'],
];
//
describe('the profiles of an exchange', () => {
  const head = headOf(OBJECTS, EXCHANGE, KV, GATE, TREASURY);

  it('have no findings where they are right, and their secrets are told', async () => {
    const { ok, errors, warnings, notes } = await checked(exchanging(LIVE), { head, secrets: {}, ask: false });
    assert.deepEqual([ok, errors, warnings], [true, [], []]);
    const told = notes.map(({ variable }) => variable);
    for (const secret of ['EXCHANGE_SECRET', 'PAYOUT_TOKEN', 'ORIGIN_SECRET']) assert.ok(told.includes(secret), String(told));
  });

  it('are warned of without a least price where each job costs the operator gas', async () => {
    const contract = { ...LIVE, hold: 'contract' };
    const { ok, warnings } = await checked(exchanging(contract), { head, secrets: SECRETS, ask: false });
    assert.deepEqual([ok, warnings.map(({ variable }) => variable)], [true, ['EXCHANGE_PROFILES[1].min_price']]);
    const { ok: isRight, warnings: none } = await checked(exchanging({ ...contract, min_price: '0.01' }), {
      head,
      secrets: SECRETS,
      ask: false,
    });
    assert.deepEqual([isRight, none], [true, []]);
  });

  for (const secrets of [SECRETS, {}]) {
    for (const [name, live, member, says] of wrong) {
      it(`${name}, ${secrets === SECRETS ? 'beside secrets' : 'on a machine without secrets'}`, async () => {
        const { ok, errors, text } = await checked(exchanging(live), { head, secrets, ask: false });
        const place = `EXCHANGE_PROFILES[1].${member}`;
        const found = errors.find(({ variable }) => variable === place) ?? assert.fail(JSON.stringify(errors));
        assert.deepEqual([ok, found.remedy.includes(says)], [false, true], found.remedy);
        assert.ok(at(text, found).startsWith(`"${member}" =`), at(text, found));
      });
    }
  }

  //
  it('one wallet is not paid for two things where a transfer proves something', async () => {
    const demo = { ...DEMO, bonds: `0x${'66'.repeat(20)}` };
    const rows: readonly (readonly [Vars, string])[] = [
      [{ EXCHANGE_PROFILES: [demo, LIVE], PAY_TO: BONDS }, 'EXCHANGE_PROFILES[1].bonds'],
      [{ EXCHANGE_PROFILES: [{ ...DEMO, bonds: ADDRESS }, LIVE] }, 'EXCHANGE_PROFILES[1].bonds'],
      [{ EXCHANGE_PROFILES: [demo, { ...LIVE, direct_transfers: 3 }], PAY_TO: ADDRESS }, 'EXCHANGE_PROFILES[1].escrow'],
    ];
    for (const [vars, variable] of rows) {
      const { ok, errors } = await checked(exchanging(LIVE, vars), { head, secrets: SECRETS, ask: false });
      assert.deepEqual([ok, errors.map((error) => error.variable)], [false, [variable]], JSON.stringify(errors));
    }
    const vars = { EXCHANGE_PROFILES: [demo, LIVE], PAY_TO: ADDRESS };
    const { ok } = await checked(exchanging(LIVE, vars), { head, secrets: SECRETS, ask: false });
    assert.ok(ok, 'without transfers of their own buyers pay by the till alone');
  });

  //
  it('the till of an exchange that is not among the routes of the market is an error', async () => {
    for (const own of [[], [{ path: '/api/marketplace/*', price: 'free' }]]) {
      const { ok, errors } = await checked(exchanging(LIVE, { OWN_ROUTES: own }), { head, secrets: {}, ask: false });
      assert.deepEqual([ok, errors.map((error) => error.variable)], [false, ['OWN_ROUTES']], JSON.stringify(errors));
    }
  });

  it('are warned of a till that believes its facilitator', async () => {
    const { confirm: _, ...till } = TILL;
    const { ok, warnings } = await checked(exchanging(LIVE, { OWN_ROUTES: [till] }), { head, ask: false });
    assert.deepEqual([ok, warnings.map(({ variable }) => variable)], [true, ['OWN_ROUTES[0].path']]);
  });

  it('a missing object, issuer, address or member has its name', async () => {
    const { bonds: _, ...without } = LIVE;
    const rows: readonly (readonly [Vars, string, string])[] = [
      [exchanging(without), head, 'EXCHANGE_PROFILES[1].bonds'],
      [exchanging(LIVE), HEAD, 'EXCHANGE'],
      [exchanging(LIVE, { IDENTITY: { issuer: 'x' } }), head, 'IDENTITY'],
      [exchanging(LIVE, { EXCHANGE_URL: 'https://a.example/b' }), head, 'EXCHANGE_URL'],
      [set({ EXCHANGE_PROFILES: {} }), head, 'EXCHANGE_PROFILES'],
    ];
    for (const [vars, around, variable] of rows) {
      const { ok, errors } = await checked(vars, { head: around, secrets: {}, ask: false });
      assert.deepEqual([ok, errors.map((error) => error.variable)], [false, [variable]], JSON.stringify(errors));
    }
  });

  it('a slip in the name of a variable, and a committed secret, are warnings', async () => {
    const { warnings } = await checked(set({ EXCHANGE_PROFILE: [DEMO], REFUND_TOKEN: 'ab'.repeat(32) }), { head });
    assert.deepEqual(
      warnings.map(({ variable }) => variable),
      ['EXCHANGE_PROFILE', 'REFUND_TOKEN'],
    );
  });
});

/** What editors are told: docs/market.schema.json. */
describe('the schema', () => {
  type Names = { readonly properties: Readonly<Record<string, object>> };
  const file = resolve('docs/market.schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as { allOf: [{ $ref: string }]; definitions: { vars: Names; profile: Names } };
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  for (const path of [resolve(dirname(file), schema.allOf[0].$ref), resolve('docs/wrangler.schema.json')])
    ajv.addSchema(JSON.parse(readFileSync(path, 'utf8')), pathToFileURL(path).href);
  const validate = ajv.compile({ ...schema, $id: pathToFileURL(file).href });
  const takes = (text: string): boolean => validate(getStaticTOMLValue(parseTOML(text)));

  it('takes what is right, and the committed file, which names it', () => {
    const committed = readFileSync('src/market/wrangler.toml', 'utf8');
    assert.ok(committed.startsWith('#:schema ../../docs/market.schema.json\n'));
    for (const text of [
      committed,
      tomlOf(GOOD),
      tomlOf(exchanging(LIVE)),
      tomlOf(exchanging({ ...LIVE, unjudged: 'released', direct_transfers: 3, per_day: '10.5' })),
    ]) {
      assert.ok(takes(text), `${JSON.stringify(validate.errors)}\n${text}`);
    }
  });

  it('names what the check and the documents name', () => {
    assert.deepEqual(Object.keys(schema.definitions.vars.properties).sort(), [...MARKET.variables].sort());
    const [, entry = ''] = readFileSync('docs/exchange.md', 'utf8').split('An entry of `EXCHANGE_PROFILES`:');
    const rows = (entry.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
    const members = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
    assert.deepEqual(Object.keys(schema.definitions.profile.properties).sort(), members.sort());
  });

  it('refuses what can be seen to be wrong without a chain', () => {
    const knows = (says: string): boolean =>
      [
        'must be one of',
        'is not a network',
        'is not an address',
        'decimal text',
        'from 1',
        '1 to 1000',
        'true or false',
        'released or',
        'is not known',
      ].some((it) => says.startsWith(it) || says === it);
    const rows = wrong.filter(([name, , , says]) => knows(says) && name !== 'an escrow in other letters');
    assert.ok(rows.length >= 10, String(rows.length));
    for (const [name, live] of rows) assert.equal(takes(tomlOf(exchanging(live))), false, name);
    for (const vars of [set({ EXCHANGE_PROFILES: {} }), set({ MARKET_URL: 'https://a.example/b' }), set({ LEDGER_ROWS: 999 })])
      assert.equal(takes(tomlOf(vars)), false, JSON.stringify(vars));
  });
});

describe('a bucket for old rows', () => {
  it('allows a bound of the ledger, from 1,000 to 50,000 rows', async () => {
    const head = headOf(OBJECTS, KV, GATE, TREASURY, R2);
    for (const [rows, isGood] of [
      [999, false],
      [1_000, true],
      [50_000, true],
      [50_001, false],
    ] as const) {
      const { ok, errors, warnings } = await checked(set({ LEDGER_ROWS: rows }), { head });
      assert.deepEqual([ok, errors.map(({ variable }) => variable), warnings], [isGood, isGood ? [] : ['LEDGER_ROWS'], []], String(rows));
    }
  });
});
