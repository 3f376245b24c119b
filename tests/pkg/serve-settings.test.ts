// Variables of a gate on this machine: which of words, file and environment sets each, and what they may not set.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { siblingsOf } from '../../pkg/gate/dist/create/rules.js';
import { refuseWithout, secretsIn } from '../../pkg/gate/dist/serve/secrets.js';
import {
  deskLine,
  environmentOfPlay,
  pricesOf,
  tableOf,
  takenAway,
  tooLong,
  variables,
  varsOf,
} from '../../pkg/gate/dist/serve/settings.js';

import { payLine, purchases } from '../../scripts/local/told.mjs';
import { PROGRAM } from './serve-world.ts';
import { PAYEE } from './shop.ts';

const place = mkdtempSync(join(tmpdir(), 'farebox-settings-'));
after(() => rmSync(place, { recursive: true, force: true }));

const LINUX = { skip: process.platform !== 'linux' };

/** A file of `--config`. */
function fileOf(vars: object): string {
  const file = join(place, 'gate.json');
  writeFileSync(file, JSON.stringify(vars));
  return file;
}

/** How a command ends with these words, and what it says. */
function served(...words: string[]): readonly [number | null, string] {
  const all = [PROGRAM, 'serve', '--origin', 'http://localhost:9', '--pay-to', PAYEE, '--state', join(place, 'state'), ...words];
  const { status, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return [status, stderr];
}

const WORDS = { origin: 'http://x', price: ['/a=$1'], 'pay-to': '0x1' };

//
test('a word wins over a variable of the shell that is meant for another program', () => {
  const shell = { RPC_URL: 'https://other.example' };
  const config = fileOf({ RPC_URL: 'https://file.example' });
  for (const [words, environment, url] of [
    [{ rpc: 'https://word.example', config }, shell, 'https://word.example'],
    [{ config }, shell, 'https://other.example'],
    [{ config }, {}, 'https://file.example'],
  ] as const)
    assert.equal(variables({ ...WORDS, ...words }, {}, environment)['RPC_URL'], url);
});

//
test('variables beyond what a process takes are refused before anything is started', LINUX, () => {
  const most = 131_072 - 'ROUTES='.length - 1;
  const isTaken = (value: string): boolean => spawnSync('true', [], { env: { ROUTES: value } }).error === undefined;
  for (const [bytes, isRight] of [
    [most, true],
    [most + 1, false],
  ] as const) {
    const value = 'x'.repeat(bytes);
    assert.deepEqual([isTaken(value), tooLong({ ROUTES: value }).length === 0], [isRight, isRight], String(bytes));
  }
  assert.deepEqual(tooLong(variables({ ...WORDS, network: ['nowhere'] }, {}, {})), [], 'what is not set is for other rules');
  const routes = Array.from({ length: 500 }, (_, at) => ({ path: `/${at}`, price: '$0.01', description: 'd'.repeat(250) }));
  const config = fileOf({ ROUTES: routes });
  for (const word of ['--check', '--local', '--trust-proxy']) {
    const [status, text] = served('--config', config, word);
    assert.equal(status, 2, text);
    assert.match(text, /ROUTES has \d+ bytes, and a process takes at most 131064/, word);
  }
});

test('an empty secret of the environment does not hide the one that the gate has made', () => {
  const file = join(place, 'made.json');
  const empty = { GATE_SECRET: '', LEDGER_SALT: '', OPERATOR_TOKEN: '', RPC_URL: '' };
  const made = secretsIn(file, empty);
  assert.deepEqual(Object.keys(made), ['GATE_SECRET', 'LEDGER_SALT']);
  const vars = variables(WORDS, { ...made, OPERATOR_TOKEN: 'made' }, empty);
  assert.doesNotThrow(() => refuseWithout(vars, file));
  // These are switched off by it.
  assert.deepEqual([vars['OPERATOR_TOKEN'], vars['RPC_URL']], ['', '']);
});

test('what an empty text of the environment takes away is told', () => {
  const config = fileOf({ RPC_URL: 'https://file.example', WEBHOOK_URL: 'https://hook.example' });
  const toldOf = (words: object, environment: NodeJS.ProcessEnv): string => takenAway({ ...WORDS, config, ...words }, environment).join();
  assert.match(toldOf({}, { RPC_URL: '' }), /^RPC_URL of --config is not used, because it is empty in the environment/);
  assert.equal(toldOf({ rpc: 'https://word.example' }, { RPC_URL: '' }), '');
  assert.equal(toldOf({}, { RPC_URL: 'https://other.example' }), '');
  assert.equal(takenAway(WORDS, { RPC_URL: '' }).length, 0);
});

test('the start says which token opens the desk, or that none does', () => {
  const [url, file] = ['http://127.0.0.1:8402', '/state/secrets.json'];
  assert.match(deskLine(url, 'made', false, file), /desk\/, with OPERATOR_TOKEN of \/state\/secrets\.json$/);
  assert.match(deskLine(url, 'set', true, file), /with OPERATOR_TOKEN of the environment$/);
  for (const all of ['http://0.0.0.0:8402', 'http://[::]:8402'])
    assert.match(
      deskLine(all, 'set', true, file),
      /^its desk is \/_farebox\/desk\/ over https, by a proxy, or over http on this machine, with/,
    );
  // At one address of the network nothing listens for this machine alone.
  assert.match(deskLine('http://192.168.1.5:8402', 'set', true, file), /^its desk is \/_farebox\/desk\/ over https, by a proxy, with/);
  for (const token of ['', undefined])
    assert.match(deskLine(url, token, token === '', file), /^it has no desk and .* no OPERATOR_TOKEN: .* or in \/state\/secrets\.json$/);
});

test('a gate with money of this machine alone tells nobody who is told of real money', () => {
  const environment = { WEBHOOK_URL: 'https://hook.example', WEBHOOK_SECRET: 's', ORIGIN_SECRET: 'o', RPC_URL: 'https://real.example' };
  const vars = variables({ ...WORDS, rpc: 'http://127.0.0.1:8545' }, {}, environmentOfPlay(environment));
  assert.deepEqual([vars['WEBHOOK_URL'], vars['ORIGIN_SECRET'], vars['RPC_URL']], [undefined, 'o', 'http://127.0.0.1:8545']);
});

test('the line that buys names a folder as one word', () => {
  const purchase = { url: 'http://x/a', method: 'GET', body: undefined, type: undefined, max: undefined, upto: undefined, says: '' };
  assert.match(payLine(purchase, 'my shop/budget'), /--store 'my shop\/budget' 'http/);
  assert.match(payLine(purchase), /--store \.wrangler\/budget 'http/);
});

test('prices may stand under their other name', () => {
  const config = fileOf({ PROTECTED_PATTERNS: [{ pattern: '/a', price: '$1' }] });
  const [status, text] = served('--config', config, '--facilitator', 'http://127.0.0.1:9', '--check');
  assert.equal(status, 0, text);
  assert.deepEqual(pricesOf(varsOf({ config })), ['  /a  $1']);
  assert.deepEqual(
    purchases('http://x', tableOf(varsOf({ config }))).map(({ url }) => url),
    ['http://x/a'],
  );
  const [both, says] = served('--config', config, '--price', '/b=$1', '--check');
  assert.equal(both, 2);
  assert.match(says, /ROUTES is set too; keep one of the two/);
});

test('a price that cannot be read is told with the word and the reason', () => {
  for (const [text, why] of [
    ['post /z=$1', 'has a method that is not in upper case'],
    ['GET,POST /x=$1', 'names several methods: repeat --price for each'],
    ['/report', 'has no price'],
    ['GET /report', 'has no price'],
    ['report=$1', 'has a path that does not begin with /'],
  ] as const)
    assert.throws(() => varsOf({ price: ['/a=$1', text] }), {
      message: `--price is not PATH=PRICE, such as '/report=$0.01': ${JSON.stringify(text)} ${why}`,
    });
  const { ROUTES } = varsOf({ price: ['POST /x=$1', 'GET /x=free'] });
  assert.deepEqual(ROUTES, [
    { path: '/x', price: '$1', methods: ['POST'] },
    { path: '/x', price: 'free', methods: ['GET'] },
  ]);
});

test('--check names the secrets without which serve ends, and a facilitator that takes a key is asked with it', () => {
  const cdp = ['--network', 'base', '--facilitator', 'https://api.cdp.coinbase.com/platform/v2/x402', '--price', '/a=$1'];
  for (const words of [cdp, [...cdp, '--check']]) {
    const [ends, says] = served(...words);
    assert.equal(ends, 2);
    for (const name of ['CDP_API_KEY_ID', 'CDP_API_KEY_SECRET'])
      assert.match(says, new RegExp(`${name}: is missing; set it in the environment`));
  }
});

test('--check asks each facilitator what it supports, as the check of a project does', async (t) => {
  let says = '';
  const facilitator = createServer((_, response) => response.end(says)).listen(0, '127.0.0.1');
  t.after(() => facilitator.close());
  await once(facilitator, 'listening');
  const url = `http://127.0.0.1:${(facilitator.address() as AddressInfo).port}`;
  const words = ['--origin', 'http://localhost:9', '--pay-to', PAYEE, '--price', '/a=$1', '--facilitator', url];
  const checked = async (): Promise<[unknown, string]> => {
    const child = spawn(process.execPath, [PROGRAM, 'serve', '--check', ...words]);
    let told = '';
    child.stderr.on('data', (piece) => {
      told += piece;
    });
    const [status] = (await once(child, 'close')) as [unknown];
    return [status, told];
  };
  const kinds = (network: string): string => JSON.stringify({ kinds: [{ x402Version: 2, scheme: 'exact', network }] });
  const asked = `asking GET ${url}/supported\n`;
  const right = 'nothing is wrong with the words and the file\n';
  says = kinds('eip155:84532');
  assert.deepEqual(await checked(), [0, `${asked}  lists eip155:84532\n${right}`]);
  says = kinds('eip155:8453');
  const note = `note: FACILITATOR_URL: does not list eip155:84532 in ${url}/supported; payments there would be refused\n`;
  assert.deepEqual(await checked(), [0, `${asked}  does not list eip155:84532\n${note}${right}`]);
  says = '<p>';
  const [status, told] = await checked();
  assert.equal(status, 2);
  assert.match(told, /\nfarebox: FACILITATOR_URL: .* is no facilitator: /);
});

test('free paths beside priced ones are told in one line', async () => {
  const vars = variables({ ...WORDS, 'pay-to': PAYEE, origin: 'http://localhost:9', price: ['/a=$1', '/b=$1'] }, {}, {});
  const told = await siblingsOf(vars, ['PAGES']);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^2 paths are priced, and many servers of files serve the same at .*\/a\/index\.html.*\/b\/index\.html.*: free$/);
});
