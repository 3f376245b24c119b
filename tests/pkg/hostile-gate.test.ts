// An operator's commands at a gate that is not what it says: nothing of its answers reaches the terminal as more than text, and none asks for ever.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { root } from '../../scripts/steps.mjs';

const PROGRAM = join(root, 'pkg/dist/cli/main.js');
const ESCAPE = '\u001b]0;owned\u0007';
const OWED = {
  id: 'rcpt_1',
  state: 'refund_due',
  network: 'eip155:84532',
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payer: `0x${'11'.repeat(20)}`,
  payee: `0x${'22'.repeat(20)}`,
  amount: '10000',
};

let gate: Server;
/** What it answers: an object, a text as it is, or a status without more. */
let answer: (path: string) => object | string | number = () => ({});
const asked: string[] = [];
before(async () => {
  gate = createServer((request, response) => {
    asked.push(request.url ?? '');
    const said = answer(request.url ?? '');
    if (typeof said === 'number') response.statusCode = said;
    response.setHeader('content-type', 'application/json');
    response.end(typeof said === 'string' ? said : JSON.stringify(said));
  }).listen(0, '127.0.0.1');
  await once(gate, 'listening');
});
after(() => gate.close());

type Ended = { readonly code: number; readonly out: string; readonly err: string };

/** What a command of an operator prints. */
async function farebox(words: readonly string[], token = 'token'): Promise<Ended> {
  asked.length = 0;
  const url = `http://127.0.0.1:${(gate.address() as AddressInfo).port}`;
  const env = { PATH: process.env['PATH'], FAREBOX_URL: url, FAREBOX_OPERATOR_TOKEN: token };
  const child = spawn(process.execPath, [PROGRAM, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (piece) => (out += String(piece)));
  child.stderr.on('data', (piece) => (err += String(piece)));
  const [code] = await once(child, 'close');
  return { code, out, err };
}

//
test('names of members are shown as text, as values are', async () => {
  answer = () => ({ id: 'rcpt_1', [`state${ESCAPE}`]: `paid${ESCAPE}` });
  for (const words of [
    ['payments', 'rcpt_1'],
    ['waive', 'rcpt_1', '--reason', 'x'],
  ]) {
    const { code, out } = await farebox(words);
    assert.equal(code, 0);
    assert.doesNotMatch(out, /[\u001b\u0007]/);
    assert.match(out, /state.*owned.*: paid/);
  }
});

//
test('no key of a payment is named as its payer', async () => {
  const key = 'ab'.repeat(32);
  const owed = { ...OWED, network: 'aptos:1', asset: `0x${'cd'.repeat(32)}`, key, payer: key, state: 'refund_due' };
  answer = (path) => {
    if (path.includes('?')) return { items: [owed], next: null };
    return path.endsWith('/refunding') ? { ...owed, refunding_id: 1 } : owed;
  };
  const list = await farebox(['owed']);
  assert.match(list.out, /^CREATED .* PAYER +PAYEE +ID\n[^]* - +0x22\w+ +rcpt_1$/m);
  assert.ok(!list.out.includes(key));
  for (const words of [
    ['payments', 'rcpt_1'],
    ['waive', 'rcpt_1', '--reason', 'x'],
  ])
    assert.match((await farebox(words)).out, /^payer: the gate cannot read it: whoever sent the transaction$/m);
  const { code, out, err } = await farebox(['refund', 'rcpt_1', '--pay-to', OWED.payee]);
  assert.equal(code, 0);
  assert.match(out, /^payer: the gate cannot read it: whoever sent the transaction$/m);
  assert.ok(!err.includes(key));
  assert.match(err, /^Refund of .* to whoever sent the transaction that paid: /m);
  // Programs get what the gate keeps; a payer that the gate reads is shown to people as well.
  assert.equal(JSON.parse((await farebox(['payments', 'rcpt_1', '--json'])).out).payer, key);
  answer = () => ({ ...OWED, key });
  assert.match((await farebox(['payments', 'rcpt_1'])).out, new RegExp(`^payer: ${OWED.payer}$`, 'm'));
});

//
test('a refund that a wallet of another network sends is begun before anyone is told to send it', async () => {
  const owed = { ...OWED, network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp', transaction: '5'.repeat(88) };
  answer = (path) => (path.endsWith('/refunding') ? { ...owed, refunding: '2026-09-21T14:14:20Z', refunding_id: 3 } : owed);
  const { code, out, err } = await farebox(['refund', 'rcpt_1', '--pay-to', OWED.payee]);
  assert.equal(code, 0, err);
  assert.deepEqual(asked, ['/_farebox/payments/rcpt_1', '/_farebox/payments/rcpt_1/refunding']);
  assert.match(out, /^refunding: 2026/m);
  assert.match(err, /^Make the transfer on solana:\w+ in the wallet of 0x22/m);
  assert.match(err, /^Send it once, then: .*\nIf you do not send it: npx farebox refund rcpt_1 --not-sent 3$/m);
  // Who begins second sends nothing, nor does who owes nothing.
  answer = () => ({ ...owed, refunding: '2026-09-21T14:14:20Z', refunding_id: 3 });
  const second = await farebox(['refund', 'rcpt_1', '--pay-to', OWED.payee]);
  assert.deepEqual([second.code, asked.length], [2, 1]);
  assert.match(second.err, /was begun at 2026\S+, and may have been sent/);
  answer = () => owed;
  const others = await farebox(['refund', 'rcpt_1', '--pay-to', OWED.payer]);
  assert.deepEqual([others.code, asked.length], [2, 1]);
  assert.match(others.err, /its owner owes the refund/);
});

//
test('what is answered in the place of the gate begins no refund, and decides nothing', async () => {
  const solana = { ...OWED, network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' };
  for (const owed of [OWED, solana]) {
    const others = [{}, { error: 'session expired' }, { ...owed, id: 'rcpt_2', refunding_id: 3 }];
    for (const said of [...others, owed]) {
      answer = (path) => (path.endsWith('/refunding') ? said : owed);
      const { code, out, err } = await farebox(['refund', 'rcpt_1', '--pay-to', OWED.payee]);
      assert.deepEqual([code, out, asked.length], [1, '', 2], JSON.stringify(said));
      assert.match(err, /^farebox: The answer is none of a gate/);
    }
    for (const said of others) {
      answer = (path) => (path === '/_farebox/payments/rcpt_1' ? owed : said);
      for (const words of [
        ['refund', 'rcpt_1', '--not-sent', '3'],
        ['waive', 'rcpt_1', '--reason', 'x'],
        ['resolve', 'rcpt_1', '--as', 'void', '--reason', 'x'],
      ]) {
        const { code, out, err } = await farebox(words);
        assert.deepEqual([code, out], [1, ''], words.join(' '));
        assert.match(err, /^farebox: The answer is none of a gate/);
      }
    }
  }
});

test('the accounts of a PAY_TO are read as the gate reads them: one, several, or an object by network', async () => {
  const [network, payee] = ['solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp', '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU'];
  const owed = { ...OWED, network, payee };
  answer = (path) => (path.endsWith('/refunding') ? { ...owed, refunding_id: 3 } : owed);
  for (const own of [payee, `${OWED.payee}, ${payee}`, JSON.stringify({ 'eip155:84532': OWED.payee, [network]: payee })]) {
    const { code, err } = await farebox(['refund', 'rcpt_1', '--pay-to', own]);
    assert.equal(code, 0, err);
  }
  for (const [own, says] of [
    [JSON.stringify({ 'eip155:84532': OWED.payee }), /its owner owes the refund/],
    ['{"eip155:84532":', /PAY_TO begins as an object, and is no JSON/],
  ] as const) {
    const { code, err } = await farebox(['refund', 'rcpt_1', '--pay-to', own]);
    assert.deepEqual([code, asked.length], [2, 1]);
    assert.match(err, says);
  }
});

test('a refund of another payment than the one that was asked for is none', async () => {
  answer = () => ({ ...OWED, id: 'rcpt_2' });
  const { code, out, err } = await farebox(['refund', 'rcpt_1', '--pay-to', OWED.payee]);
  assert.deepEqual([code, out], [2, '']);
  assert.match(err, /another payment than the one that was asked for/);
});

//
test('a word that a command does not read is refused before anything is asked, and what is owed is asked for by each that it takes', async () => {
  answer = () => ({ items: [], next: null });
  for (const [words, says] of [
    [['owed', '--state', 'manual'], /owed takes no --state, but --at, --json, --limit, --payer/],
    [['owed', 'rcpt_1'], /owed takes no name: rcpt_1 is too much/],
    [['payments', 'rcpt_1', 'rcpt_2'], /payments takes one id: rcpt_2/],
    [['payments', 'rcpt_1', '--state', 'manual'], /an id, or --state for a list/],
    [['export', '--state', 'refund_due'], /export takes no --state/],
    [['export', '--json'], /export takes no --json/],
    [['totals', '--route', '/a'], /totals takes no --route/],
    [['channels', '--payer', OWED.payer], /channels takes no --payer/],
    [['audit', '--day', '2026-01-31'], /audit takes no --day/],
    [['refund', 'rcpt_1', 'rcpt_2', '--pay-to', OWED.payee], /refund takes one id: rcpt_2/],
    [['waive', 'rcpt_1', '--reason', 'x', '--transaction', '0x1'], /waive takes no --transaction/],
  ] as const) {
    const { code, out, err } = await farebox(words);
    assert.deepEqual([code, out, asked], [2, '', []], words.join(' '));
    assert.match(err, says);
  }
  const filters = ['--payer', OWED.payer, '--route', '/a', '--from', '2026-01-01', '--to', '2026-01-31', '--limit', '5'];
  assert.equal((await farebox(['owed', ...filters])).code, 0);
  const query = `state=refund_due&payer=${OWED.payer}&route=%2Fa&from=2026-01-01&to=2026-01-31&limit=5`;
  assert.deepEqual(asked, [`/_farebox/payments?${query}`]);
  assert.match((await farebox(['audit', '--day', '2026-01-31', '--help'])).out, /^farebox for operators/);
});

//
test('a list that names a next page for ever is ended', async () => {
  answer = () => ({ items: [], next: 'again' });
  for (const list of ['payments', 'owed', 'channels']) {
    const { code, err } = await farebox([list, '--limit', '5']);
    assert.deepEqual([code, /a next page again and again/.test(err)], [2, true], list);
    assert.ok(asked.length <= 1_010, `${asked.length}`);
  }
});

test('a review is listed with method and network, and printed whole before it is approved', async () => {
  const review = { id: 'rev_2', state: 'open', agent: 'bob', amount: '$5.00', network: 'eip155:8453', requestMethod: 'POST' };
  const whole = { ...review, requestUrl: 'https://bank.example/transfer', payee: OWED.payee, requestBody: `to=me${ESCAPE}` };
  const last = { items: [whole], cursor: null };
  answer = (path) => (path.includes('cursor=1.rev_1') ? last : { items: [{ ...review, id: 'rev_1' }], cursor: '1.rev_1' });
  assert.match((await farebox(['reviews', '--org', 'acme'])).out, /open +bob +\$5\.00 +eip155:8453 +POST/);
  const { out } = await farebox(['reviews', 'rev_2', '--org', 'acme']);
  assert.match(out, /^requestBody: to=me\S/m);
  assert.doesNotMatch(out, /[\u001b\u0007]/);
  answer = () => last;
  const none = await farebox(['reviews', 'rev_3', '--org', 'acme']);
  assert.deepEqual([none.code, none.out], [2, '']);
  assert.match(none.err, /no review rev_3 is open: --state approved/);
});

test('an answer that is no list, or no JSON, is told, and taken neither for an empty list nor for something done', async () => {
  for (const said of ['<!doctype html><title>Log in</title>', { status: 'ok' }, '{"items":[']) {
    answer = () => said;
    for (const words of [['owed'], ['payments', '--json'], ['audit'], ['totals'], ['failures'], ['reviews', '--org', 'acme']]) {
      const { code, out, err } = await farebox(words);
      assert.deepEqual([code, out], [1, ''], words.join(' '));
      assert.match(err, /^farebox: The answer is none of a gate/);
    }
  }
  // Nor was anything done.
  for (const said of ['', '[]', '"done"', 'null']) {
    answer = () => said;
    for (const words of [
      ['waive', 'rcpt_1', '--reason', 'x'],
      ['resolve', 'rcpt_1', '--as', 'void', '--reason', 'x'],
      ['approve', 'rev_1', '--org', 'acme'],
    ]) {
      const { code, out, err } = await farebox(words);
      assert.deepEqual([code, out], [1, ''], words.join(' '));
      assert.match(err, /^farebox: The answer is none of a gate/);
    }
  }
});

test('a report of a refund goes on while the gate does not answer', async () => {
  const answers = [{ ...OWED }, 503, '<title>Log in</title>', { ...OWED, state: 'refunded' }];
  answer = () => answers.shift() ?? 500;
  const { code, out, err } = await farebox(['refund', 'rcpt_1', '--transaction', `0x${'9'.repeat(64)}`]);
  assert.equal(code, 0, err);
  assert.match(out, /^state: refunded$/m);
  assert.match(err, /or does not answer.*It is asked again for 2 minutes/);
  assert.equal(asked.length, 4);
});

test('an id of dots asks no other path', async () => {
  answer = () => ({});
  for (const words of [
    ['waive', '..', '--reason', 'x'],
    ['refund', '.'],
    ['approve', '..', '--org', 'acme'],
    ['approve', 'rev_1', '--org', '..'],
  ]) {
    const { code, err } = await farebox(words);
    assert.deepEqual([code, asked], [1, []], words.join(' '));
    assert.match(err, /names nothing/);
  }
  answer = (path) => (path === '/api/organizations' ? { items: [{ name: '..' }] } : {});
  assert.equal((await farebox(['approve', 'rev_1'])).code, 1);
  assert.deepEqual(asked, ['/api/organizations']);
});

test('a token that no token can be is told without its value', async () => {
  for (const token of ['tok_SECRET\nexport X=1', 'tok_SECRET \u00e9', ' tok_SECRET']) {
    const { code, out, err } = await farebox(['owed'], token);
    assert.deepEqual([code, out, asked], [2, '', []]);
    assert.doesNotMatch(err, /SECRET/);
    assert.match(err, /FAREBOX_OPERATOR_TOKEN has a space, a line break or another character/);
  }
});
