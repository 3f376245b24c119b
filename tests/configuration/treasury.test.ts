/** `npm run check` for the file of a treasury: wrong settings, and what is wrong around them, each with its place. */
import assert from 'node:assert/strict';
import { relative } from 'node:path';
import { after, describe, it } from 'node:test';

import { check, type Finding, type Report } from '../../scripts/check/index.mjs';
import { openFolder, tomlOf, type Value, type Vars } from './table.ts';

const folder = openFolder();
after(() => folder.remove());

const HEAD = `name = "farebox-treasury"
main = "index.js"
compatibility_date = "2026-04-01"

[[durable_objects.bindings]]
name = "TREASURY"
class_name = "Treasury"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Treasury"]
`;
const WALLET: Vars = { name: 'main', networks: ['eip155:84532'], secret: 'WALLET_KEY' };
const ACME: Vars = { name: 'acme', environment: 'test', agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }] };
const GOOD: Vars = { WALLETS: [WALLET], ORGANIZATIONS: [ACME], RPC_URL: 'https://node.example.net/' };
const SECRETS: Vars = {
  TREASURY_SECRET: 'ab'.repeat(32),
  OPERATOR_TOKEN: 'cd'.repeat(16),
  WALLET_KEY: `0x${'77'.repeat(32)}`,
  BUYER_KEY: `fbk_acme_abcd1234_${'ef'.repeat(16)}`,
};

async function checked(
  vars: Vars,
  { head = HEAD, secrets = SECRETS, ask = true, deploys = false } = {},
): Promise<Report & { text: string }> {
  const text = tomlOf(vars, { head });
  folder.write(text, secrets);
  return { ...(await check({ file: folder.file, offline: true, secrets: ask, deploys })), text };
}

/** What the file has where a finding points to. */
const at = (text: string, { line, column }: Finding): string => text.split('\n')[line - 1]?.slice(column - 1) ?? '';

it('a good file has no findings', async () => {
  const { errors, warnings, ok } = await checked(GOOD);
  assert.deepEqual([ok, errors, warnings], [true, [], []]);
});

it('secrets that are not here are told by name, those of wallets and agents too, and are no errors', async () => {
  const { ok, notes } = await checked(GOOD, { secrets: {}, ask: false });
  assert.deepEqual(
    [ok, notes.map(({ variable }) => variable).sort()],
    [true, ['BUYER_KEY', 'OPERATOR_TOKEN', 'TREASURY_SECRET', 'WALLET_KEY']],
  );
  for (const { variable, remedy, file } of notes) {
    const command = `wrangler secret put ${variable} --config ${relative('.', file)}`;
    assert.equal(remedy, `is a secret; \`${command}\` if it is not there yet`, 'without its file it would be set at the gate');
  }
});

const set = (change: Vars): Vars => ({ ...GOOD, ...change });
const { ORGANIZATIONS: _, ...noOrganizations } = GOOD;
const wrong: readonly (readonly [name: string, vars: Vars, variable: string, says: string, at: string])[] = [
  ['no organizations', noOrganizations, 'ORGANIZATIONS', 'is missing; set a list', '[vars]'],
  [
    'an organization of no environment',
    set({ ORGANIZATIONS: [{ name: 'acme' }] }),
    'ORGANIZATIONS[0].environment',
    '"test" or "main"',
    '{',
  ],
  [
    'an organization of an impossible name',
    set({ ORGANIZATIONS: [{ name: 'A', environment: 'test' }] }),
    'ORGANIZATIONS[0].name',
    '3 to 64',
    '"name" =',
  ],
  ['two of one name', set({ ORGANIZATIONS: [ACME, ACME] }), 'ORGANIZATIONS[1].name', 'is the name of another', '"name" ='],
  [
    'two that pay from one account',
    set({
      ORGANIZATIONS: [
        { ...ACME, policy: { allowedOrigins: ['*'] } },
        { name: 'other', environment: 'test', policy: { allowedOrigins: ['*'] } },
      ],
    }),
    'ORGANIZATIONS[1]',
    'from the wallet main, as acme does',
    '{',
  ],
  [
    'an unknown member',
    set({ ORGANIZATIONS: [{ ...ACME, budget: '5' }] }),
    'ORGANIZATIONS[0].budget',
    'is unknown; known are',
    '"budget" =',
  ],
  [
    'payouts of an agent',
    set({ ORGANIZATIONS: [{ ...ACME, agents: [{ name: 'buyer', policy: { payoutsPerDay: '5' } }] }] }),
    'ORGANIZATIONS[0].agents[0].policy.payoutsPerDay',
    'is a limit of the organization',
    '"payoutsPerDay" =',
  ],
  [
    'a limit of an asset that there is not',
    set({ ORGANIZATIONS: [{ ...ACME, policy: { perDay: { USDX: '1' } } }] }),
    'ORGANIZATIONS[0].policy.perDay',
    'names USDX, which is no known asset',
    '"perDay" =',
  ],
  [
    'an agent whose key is that of another organization',
    set({ ORGANIZATIONS: [{ ...ACME, name: 'other' }] }),
    'ORGANIZATIONS[0].agents[0].bootstrapKey',
    'fbk_other_',
    '"bootstrapKey" =',
  ],
  ['a wallet on no network', set({ WALLETS: [{ ...WALLET, networks: [] }] }), 'WALLETS[0].networks', 'must list networks', '"networks" ='],
  [
    'a wallet on a network that is none',
    set({ WALLETS: [{ ...WALLET, networks: ['solana'] }] }),
    'WALLETS[0].networks',
    'is not an EVM network',
    '"networks" =',
  ],
  ['a wallet with a key and a signer', set({ WALLETS: [{ ...WALLET, signer: 'SIGNER' }] }), 'WALLETS[0]', 'either secret or signer', '{'],
  [
    'a signer that is not bound',
    set({ WALLETS: [{ name: 'main', networks: ['base'], signer: 'SIGNER', address: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C' }] }),
    'WALLETS[0].signer',
    'is not bound',
    '"signer" =',
  ],
  [
    'a main network among test networks',
    set({ TEST_NETWORKS_ONLY: true, WALLETS: [{ ...WALLET, networks: ['base'] }] }),
    'WALLETS[0].networks',
    'main network',
    '"networks" =',
  ],
  [
    'local merchants with real money',
    set({ ALLOW_LOCAL_MERCHANTS: true }),
    'ALLOW_LOCAL_MERCHANTS',
    'TEST_NETWORKS_ONLY',
    'ALLOW_LOCAL_MERCHANTS =',
  ],
  ['no block at all', set({ CONFIRMATIONS: 0 }), 'CONFIRMATIONS', 'from 1 to', 'CONFIRMATIONS ='],
  ['a node that is none', set({ RPC_URL: 'node' }), 'RPC_URL', '', 'RPC_URL ='],
];

describe('wrong settings', () => {
  for (const [name, vars, variable, says, begins] of wrong) {
    it(`${name}: ${variable} is named with its place`, async () => {
      const { ok, errors, text } = await checked(vars);
      assert.deepEqual([ok, errors.map((error) => error.variable)], [false, [variable]], JSON.stringify(errors));
      const [error] = errors as [Finding];
      assert.ok(error.remedy.includes(says), error.remedy);
      assert.ok(at(text, error).startsWith(begins), `${error.line}:${error.column} is ${at(text, error)}`);
    });
  }
});

describe('around the settings', () => {
  const around: readonly (readonly [name: string, head: string, variable: string, says: string])[] = [
    ['no objects', HEAD.replace(/\[\[durable[^[]*/, ''), 'TREASURY', 'is missing; bind the class Treasury'],
    ['objects under another name', HEAD.replace('"TREASURY"', '"TREASURE"'), 'TREASURY', 'TREASURE is not read'],
    ['no migration', HEAD.replace(/\[\[migrations[^[]*/, ''), 'migrations', 'new_sqlite_classes = ["Treasury"]'],
    ['a migration without SQLite', HEAD.replace('new_sqlite_classes', 'new_classes'), 'migrations', 'needs SQLite'],
    ['an older date', HEAD.replace('2026-04-01', '2026-03-31'), 'compatibility_date', '2026-04-01'],
  ];
  for (const [name, head, variable, says] of around) {
    it(`${name}: ${variable}`, async () => {
      const { errors } = await checked(GOOD, { head });
      assert.deepEqual(
        errors.map((error) => error.variable),
        [variable],
        JSON.stringify(errors),
      );
      assert.ok(errors[0]?.remedy.includes(says), errors[0]?.remedy);
    });
  }

  const acme = { ...ACME, agents: [{ name: 'buyer', policy: { allowedOrigins: ['https://api.mine.net', 'http://127.0.0.1:8402'] } }] };
  const here = set({ ORGANIZATIONS: [acme], ALLOW_LOCAL_MERCHANTS: true, TEST_NETWORKS_ONLY: true, RPC_URL: 'http://localhost:8545' });

  it('a merchant of this machine is a warning, with what pays it', async () => {
    const { warnings, text } = await checked(set({ ORGANIZATIONS: [acme] }));
    const [warning] = warnings as [Finding];
    assert.deepEqual([warnings.length, warning.variable], [1, 'ORGANIZATIONS[0].policy']);
    assert.match(warning.remedy, /^names http:\/\/127\.0\.0\.1:8402, .* ALLOW_LOCAL_MERCHANTS = true, and by no deployed treasury$/);
    assert.ok(at(text, warning).startsWith('{'));
  });

  it('what is on this machine is a warning, and an error in production and where it is deployed', async () => {
    const tried = await checked(here);
    assert.deepEqual(tried.errors, []);
    const said = tried.warnings.map(({ variable, remedy }) => `${variable} ${remedy}`);
    const expected = [
      /^RPC_URL names localhost, which a deployed Worker cannot reach/,
      /^ALLOW_LOCAL_MERCHANTS is for tests on this machine; remove it/,
      /^ORGANIZATIONS\[0\]\.policy names http:\/\/127\.0\.0\.1:8402, which is this machine: a deployed treasury cannot reach it/,
    ];
    assert.equal(said.length, expected.length, said.join('\n'));
    for (const line of expected)
      assert.ok(
        said.some((one) => line.test(one)),
        `${line} is not in\n${said.join('\n')}`,
      );
    const texts = (list: readonly Finding[]) => list.map(({ variable, remedy }) => `${variable} ${remedy}`);
    const deployed = await checked(here, { deploys: true });
    assert.deepEqual([texts(deployed.errors), deployed.warnings, deployed.ok], [said, [], false]);
    const bound = HEAD.slice(HEAD.indexOf('[[durable'), HEAD.indexOf('[[migrations')).replace('[[', '[[env.production.');
    folder.write(tomlOf(here, { head: `${tomlOf(GOOD, { head: HEAD })}\n${bound}`, table: 'env.production.vars' }), SECRETS);
    const production = await check({ file: folder.file, offline: true, secrets: true, env: 'production' });
    assert.deepEqual([texts(production.errors).sort(), production.warnings], [[...said].sort(), []]);
  });

  it('one of several nodes on this machine is found, and a public one is not', async () => {
    const nodes = (url: string): Vars => set({ RPC_URL: { 'eip155:84532': url } });
    assert.deepEqual(
      (await checked(nodes('http://[::1]:8545'))).warnings.map(({ variable }) => variable),
      ['RPC_URL'],
    );
    assert.deepEqual((await checked(nodes('https://node.example.net'), { deploys: true })).errors, []);
  });

  it('a slip in a name, and a secret that is committed, are warnings', async () => {
    const { warnings } = await checked(set({ WALETS: [] as readonly Value[], BUYER_KEY: String(SECRETS['BUYER_KEY']) }));
    assert.deepEqual(
      warnings.map(({ variable, remedy }) => [variable, remedy]),
      [
        ['WALETS', 'is not read; did you mean WALLETS?'],
        ['BUYER_KEY', 'is a secret in a committed file; remove it and run `wrangler secret put BUYER_KEY`'],
      ],
    );
  });
});
