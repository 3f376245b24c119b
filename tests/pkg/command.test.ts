// The command line as a program of its own: what it prints where, what it asks, what it exits with, and that no key is seen.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';

import { fileStore } from '../../pkg/dist/file-store.js';
import { eventually } from '../support/eventually.ts';
import { askFor, challenge, credentialOf } from './charges.ts';
import {
  ask,
  base64,
  GOODS,
  honest,
  OFFER,
  ON_BASE,
  open,
  PAYEE,
  PAYER,
  PAYER_KEY,
  paymentOf,
  serve,
  settlement,
  TRANSACTION,
  terms,
} from './shop.ts';

const home = mkdtempSync(join(tmpdir(), 'farebox-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));
let folders = 0;

type Run = { readonly code: number | null; readonly out: string; readonly err: string; readonly store: string };
type More = {
  readonly key?: string | undefined;
  readonly input?: string;
  readonly store?: string;
  /** For Node. */
  readonly flags?: readonly string[];
  /** Standard output, if not for the test. */
  readonly output?: number;
};

/** Runs it with a budget of its own unless one is named. */
async function farebox(
  words: readonly string[],
  { key = PAYER_KEY, input = '', store = join(home, String((folders += 1)), 'budget'), flags = [], output }: More = {},
): Promise<Run> {
  const args = ['pay', 'look', 'resend', 'unblock'].includes(words[0] ?? '') ? [...words, '--store', store] : words;
  const child = spawn(process.execPath, [...flags, 'pkg/dist/cli/main.js', ...args], {
    env: { PATH: process.env['PATH'], HOME: home, ...(key === '' ? {} : { FAREBOX_PRIVATE_KEY: key }) },
    stdio: ['pipe', output ?? 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (piece) => {
    out += piece;
  });
  child.stderr?.on('data', (piece) => {
    err += piece;
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  assert.ok(!`${out}${err}`.includes(PAYER_KEY.slice(4, 30)), 'the key is never seen');
  return { code, out, err, store };
}

test('pay prints the content and nothing else to standard output, and the receipt to standard error', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const { code, out, err } = await farebox(['pay', shop.url, '--yes']);
  assert.deepEqual([code, out], [0, GOODS]);
  for (const words of ['0.01 USDC (10000)', 'test money', PAYEE, TRANSACTION, OFFER.network])
    assert.ok(err.includes(words), `${words}: ${err}`);
  const inJson = await farebox(['pay', shop.url, '--yes', '--json']);
  assert.equal((JSON.parse(inJson.err.trim().split('\n').at(-1) ?? '') as { payer: string }).payer, PAYER);
});

test('pay asks before it signs, and only a yes is a yes', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  for (const input of ['', 'n\n', '\n', 'maybe\n']) {
    const { code, out, err } = await farebox(['pay', shop.url], { input });
    assert.deepEqual([code, out], [3, ''], JSON.stringify(input));
    assert.match(err, /pay 0\.01 USDC \(10000\) from 0x/);
    assert.match(err, /declined/);
  }
  assert.equal(shop.requests.filter((request) => paymentOf(request) !== undefined).length, 0);
  const agreed = await farebox(['pay', shop.url], { input: 'y\n' });
  assert.deepEqual([agreed.code, agreed.out], [0, GOODS]);
});

/** Calls `then` with the body of a request as text. */
function whenRead(request: IncomingMessage, then: (body: string) => void): void {
  request.setEncoding('utf8');
  let body = '';
  request.on('data', (piece) => {
    body += piece;
  });
  request.on('end', () => then(body));
}

test('pay sends method, headers and body, also from a file and from standard input', async (t) => {
  const seen: string[] = [];
  const shop = await open((request, response) => {
    whenRead(request, (body) => {
      seen.push(`${request.method} ${request.headers['x-a']} ${body}`);
      honest(request, response);
    });
  });
  t.after(() => shop.stop());
  const file = join(home, 'body');
  writeFileSync(file, 'of a file');
  await farebox(['pay', shop.url, '--yes', '-H', 'X-A: one: two', '-d', 'text']);
  await farebox(['pay', shop.url, '--yes', '-X', 'put', '-d', `@${file}`]);
  await farebox(['pay', shop.url, '--yes', '-d', '@-'], { input: 'of input' });
  assert.deepEqual(
    seen.filter((_, index) => index % 2 === 1),
    ['POST one: two text', 'PUT undefined of a file', 'POST undefined of input'],
  );
  assert.deepEqual(
    seen.filter((_, index) => index % 2 === 0),
    seen.filter((_, index) => index % 2 === 1),
  );
});

test('spending is counted across runs, and a cap that is used up pays nothing', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const first = await farebox(['pay', shop.url, '--yes', '--per-day', '0.015']);
  const { code, err } = await farebox(['pay', shop.url, '--yes', '--per-day', '0.015'], { store: first.store });
  assert.deepEqual([first.code, code], [0, 3]);
  assert.match(err, /budget_exhausted: perDay is 0\.015/);
});

test('look tells price, payee and what the policy says; it signs, counts and keeps nothing and needs no key', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const allowed = await farebox(['look', shop.url], { key: '' });
  assert.equal(allowed.code, 0);
  for (const words of ['0.01 USDC (10000), test money', PAYEE, 'x402', 'policy   allows it'])
    assert.ok(allowed.out.includes(words), allowed.out);
  assert.deepEqual(readdirSync(allowed.store), []);
  const refused = await farebox(['look', shop.url, '--max', '0.005']);
  assert.equal(refused.code, 3);
  assert.match(refused.out, /0\.01 USDC \(10000\)/);
  assert.match(refused.out, /refuses it: policy_amount: .*perPayment is 0\.005/);
  const json = JSON.parse((await farebox(['look', shop.url, '--json', '--network', 'base'])).out) as {
    price: string;
    refused: { code: string };
  };
  assert.deepEqual([json.price, json.refused.code], ['0.01', 'policy_network']);
  assert.deepEqual(
    shop.requests.map((request) => paymentOf(request)),
    [undefined, undefined, undefined],
    'one request each',
  );
});

test('a free answer costs nothing, and a failing one fails', async (t) => {
  const free = await open((_, response) => response.end('hello'));
  const broken = await open((_, response) => response.writeHead(500).end('oh'));
  t.after(() => Promise.all([free.stop(), broken.stop()]));
  const paid = await farebox(['pay', free.url]);
  assert.deepEqual([paid.code, paid.out, paid.err], [0, 'hello', '']);
  assert.equal((await farebox(['look', free.url])).code, 0);
  const failed = await farebox(['pay', broken.url]);
  assert.deepEqual([failed.code, failed.out], [1, 'oh']);
});

test('a payment that was signed and not answered as it should be is kept for its owner alone', async (t) => {
  const shop = await open((request, response) =>
    paymentOf(request) === undefined ? ask(response) : ask(response, terms([OFFER], { error: 'sold out' })),
  );
  t.after(() => shop.stop());
  const { code, out, err, store } = await farebox(['pay', shop.url, '--yes']);
  assert.deepEqual([code, out], [4, '']);
  assert.match(err, /payment_refused: .*sold out/);
  const file = /is in (\S+\.json)/.exec(err)?.[1] ?? '';
  assert.ok(file.startsWith(join(store, '..')));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { header: [string, string] };
  assert.equal(kept.header[1], paymentOf(shop.requests[1]!));
});

test('a paid answer that is an error is told with its receipt', async (t) => {
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    response.writeHead(404, { 'payment-response': base64(JSON.stringify(settlement())) }).end('gone');
  });
  t.after(() => shop.stop());
  const { code, out, err } = await farebox(['pay', shop.url, '--yes']);
  assert.deepEqual([code, out], [4, 'gone']);
  assert.ok(err.includes(TRANSACTION));
});

for (const status of [200, 302, 404, 500]) {
  test(`a paid request that is answered ${status}${status === 200 ? ' in part' : ''} without a receipt is told as signed, and its payment is kept`, async (t) => {
    const shop = await open((request, response) => {
      if (paymentOf(request) === undefined) return ask(response);
      if (status !== 200) return void response.writeHead(status).end('oh');
      response.writeHead(200, { 'content-length': '1000' }).write('half', () => response.destroy());
    });
    t.after(() => shop.stop());
    const { code, err } = await farebox(['pay', shop.url, '--yes']);
    assert.equal(code, 4, err);
    const kept = JSON.parse(readFileSync(/is in (\S+\.json)/.exec(err)?.[1] ?? '', 'utf8')) as { header: [string, string] };
    assert.equal(kept.header[1], paymentOf(shop.requests[1]!));
  });
}

//
test('a payment that cannot be kept beside the budget is told as signed, and the same command sends it again', async (t) => {
  const shop = await open((request, response) =>
    paymentOf(request) === undefined ? ask(response) : void response.writeHead(500).end('oh'),
  );
  t.after(() => shop.stop());
  const words = ['pay', shop.url, '--yes'];
  const { err, store } = await farebox(words);
  const file = /is in (\S+\.json)/.exec(err)?.[1] ?? '';
  rmSync(file);
  mkdirSync(file);
  const again = await farebox(words, { store });
  assert.deepEqual([again.code, again.out], [4, 'oh'], again.err);
  assert.match(again.err, /cannot be kept beside the budget: EISDIR\n.*the same command sends it again/);
  assert.deepEqual(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
});

//
test('a budget that cannot be written once the wallet has signed is told as signed', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const parent = mkdtempSync(join(home, 'lost-'));
  const store = join(parent, 'budget');
  const child = spawn(process.execPath, ['pkg/dist/cli/main.js', 'pay', shop.url, '--store', store], {
    env: { PATH: process.env['PATH'], HOME: home, FAREBOX_PRIVATE_KEY: PAYER_KEY },
  });
  let err = '';
  child.stderr.on('data', (piece) => {
    err += piece;
    if (!String(piece).includes('[y/N]')) return;
    // A volume that is gone, while a person reads the terms.
    rmSync(store, { recursive: true });
    writeFileSync(store, '');
    child.stdin.end('y\n');
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  assert.deepEqual([code, shop.requests.map(paymentOf)], [4, [undefined]], err);
  assert.match(err, /payment_unresolved: .*ENOTDIR|payment_unresolved: .*EEXIST/);
});

//
test('what was bought moves no cursor of a terminal, and goes to a file as it is', async (t) => {
  const content = '\x1b[2A\x1b[2Kpaid 0.01 USDC to a friend\x1b]52;c;Y3VybA==\x07\nNiederschlag: 3 l/m², ☔️\n';
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    // In two pieces, within a character.
    const bytes = Buffer.from(content);
    response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())) }).write(bytes.subarray(0, -8));
    setTimeout(() => response.end(bytes.subarray(-8)), 50);
  });
  t.after(() => shop.stop());
  const words = ['pay', shop.url, '--yes'];
  assert.equal((await farebox(words)).out, content);
  const { out } = await farebox(words, { flags: ['--import', 'data:text/javascript,process.stdout.isTTY=true'] });
  const lines = out.split('\n');
  assert.deepEqual(
    lines.map((line) => /^[^\p{Cc}]*$/u.test(line)),
    [true, true, true],
  );
  assert.match(lines[0] ?? '', /^‹U\+001B›\[2A.*‹U\+0007›$/);
  assert.match(lines[1] ?? '', /^Niederschlag: 3 l\/m², ☔/);
});

//
test('content that cannot be written is told as not there, and the same command gets it with the same payment', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  for (const [name, content] of [
    ['short', GOODS],
    ['long', 'x'.repeat(3_000_000)],
  ] as const) {
    const shop = await open((request, response) =>
      paymentOf(request) === undefined
        ? ask(response)
        : response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())) }).end(content),
    );
    t.after(() => shop.stop());
    const { code, err, store } = await farebox(['pay', shop.url, '--yes'], { output: full });
    assert.equal(code, 4, `${name}: ${err}`);
    assert.match(err, /standard output cannot be written: ENOSPC\n.*the payment is in/, name);
    const again = await farebox(['pay', shop.url, '--yes'], { store });
    assert.deepEqual([again.code, again.out === content], [0, true], `${name}: ${again.err}`);
    assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1, name);
  }
  assert.equal((await farebox(['--help'], { output: full })).code, 5);
});

test('the same command sends the same payment again until its content came, and then buys anew', async (t) => {
  let delivers = false;
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (delivers) return serve(response);
    response.writeHead(504).end();
  });
  t.after(() => shop.stop());
  const { store } = await farebox(['pay', shop.url, '--yes']);
  const again = await farebox(['pay', shop.url], { store });
  assert.equal(again.code, 4, again.err);
  delivers = true;
  const paid = await farebox(['pay', shop.url], { store });
  assert.deepEqual([paid.code, paid.out], [0, GOODS]);
  const sent = (): number => new Set(shop.requests.map((request) => paymentOf(request)).filter((it) => it !== undefined)).size;
  assert.equal(sent(), 1);
  await farebox(['pay', shop.url, '--yes'], { store });
  assert.equal(sent(), 2);
});

test('resend sends the kept payment again without a key, with the body and headers of its request, until its content came', async (t) => {
  let delivers = false;
  const seen: string[] = [];
  const shop = await open((request, response) => {
    whenRead(request, (body) => {
      const payment = paymentOf(request);
      if (payment === undefined) return ask(response);
      seen.push(`${request.method} ${request.headers['x-order']} ${body} ${payment}`);
      if (delivers) return serve(response);
      response.writeHead(504).end();
    });
  });
  t.after(() => shop.stop());
  const words = [shop.url, '-d', '{"a":1}', '-H', 'X-Order: 7'];
  const { err, store } = await farebox(['pay', ...words, '--yes']);
  const file = /is in (\S+\.json)/.exec(err)?.[1] ?? '';
  assert.match(err, /npx farebox resend/);
  const before = seen.length;
  const failed = await farebox(['resend', file], { store, key: '' });
  assert.deepEqual([failed.code, failed.out], [4, '']);
  delivers = true;
  const came = await farebox(['resend', file], { store, key: '' });
  assert.deepEqual([came.code, came.out], [0, GOODS], came.err);
  assert.ok(came.err.includes(TRANSACTION));
  assert.ok(before > 0 && seen.length > before + 1);
  assert.deepEqual([new Set(seen).size, seen[0]?.startsWith('POST 7 {"a":1} ')], [1, true]);
  // The record knows that its content came: the same command buys anew.
  await farebox(['pay', ...words, '--yes'], { store });
  assert.equal(new Set(seen).size, 2);
});

test('resend sends also a payment that the budget of this machine does not hold, and never another one', async () => {
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    response.writeHead(504).end();
  });
  const { err } = await farebox(['pay', shop.url, '--yes']);
  const file = /is in (\S+\.json)/.exec(err)?.[1] ?? '';
  shop.requests.length = 0;
  const elsewhere = await farebox(['resend', file], { key: '' });
  assert.equal(elsewhere.code, 4, elsewhere.err);
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { header: [string, string] };
  assert.deepEqual(shop.requests.map(paymentOf), [kept.header[1]]);
  await shop.stop();
  const lost = await farebox(['resend', file], { key: '' });
  assert.equal(lost.code, 4);
  assert.match(lost.err, /payment_unresolved/);
});

//
test("a stranger's payment file writes nothing but a payment beside the budget that was named", async (t) => {
  const shop = await open((_, response) => void response.writeHead(500).end());
  t.after(() => shop.stop());
  const project = join(home, 'project');
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{"name":"mine"}');
  const file = join(home, 'from-a-stranger.json');
  const good = {
    url: shop.url,
    method: 'GET',
    key: `0x${'ab'.repeat(32)}`,
    validBefore: 9_999_999_999,
    store: join(home, 'budget'),
    header: ['PAYMENT-SIGNATURE', 'e30='],
    headers: [],
  };
  for (const bad of [
    { key: '0x/../package' },
    { store: join(project, 'budget') },
    { url: 'file:///etc/passwd' },
    { askedUrl: 'file:///etc/passwd' },
    { header: ['a b', 'c'] },
    { headers: [['x', 'a\nb']] },
    { body: 7 },
    { validBefore: 'soon' },
  ]) {
    writeFileSync(file, JSON.stringify({ ...good, ...bad, scripts: { preinstall: 'x' } }));
    const args = ['pkg/dist/cli/main.js', 'resend', file];
    const { status } = spawnSync(process.execPath, args, { env: { PATH: process.env['PATH'], HOME: home } });
    assert.equal(status, 2, JSON.stringify(bad));
  }
  assert.equal(readFileSync(join(project, 'package.json'), 'utf8'), '{"name":"mine"}');
  assert.equal(shop.requests.length, 0);
  writeFileSync(file, JSON.stringify({ ...good, scripts: { preinstall: 'x' } }));
  const { code, store } = await farebox(['resend', file], { key: '' });
  assert.equal(code, 4);
  const kept = JSON.parse(readFileSync(join(store, '..', `payment-${'ab'.repeat(8)}.json`), 'utf8')) as object;
  assert.deepEqual(kept, { ...good, store });
});

test('what to do is said in words of the command line', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const file = join(home, 'words');
  const refusals: readonly (readonly [policy: object, words: readonly string[], says: RegExp])[] = [
    [{}, ['--max', '0.001'], /policy_amount: [^]*--max/],
    [{}, ['--network', 'eip155:1'], /policy_network: [^]*--network/],
    [{}, ['--per-day', '0.001'], /budget_exhausted: [^]*--per-day/],
    [{ hosts: ['other.example'] }, [], /policy_host: [^]*hosts in the file of --policy/],
    [{ payees: [PAYER] }, [], /policy_payee: [^]*payees in the file of --policy/],
    [{ expires: '2020-01-01T00:00:00Z' }, [], /policy_expired: [^]*expires in the file of --policy/],
    [{ maxValiditySecs: 1 }, [], /policy_validity: [^]*maxValiditySecs in the file of --policy/],
  ];
  for (const [policy, words, says] of refusals) {
    writeFileSync(file, JSON.stringify(policy));
    const { code, err } = await farebox(['pay', shop.url, '--yes', '--policy', file, ...words]);
    assert.equal(code, 3, err);
    assert.match(err, says);
    assert.doesNotMatch(err, /policy\.\w|error\.\w|fetch\.\w/);
  }
});

test('an endpoint whose server asked to stop says which command lets calls out again', async (t) => {
  const diagnostic = { info: { code: 'OPERATOR_ALERT', escalate: true }, schema: { type: 'object' } };
  let stops = true;
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (!stops) return serve(response);
    ask(response, terms([OFFER], { error: 'sold out', extensions: { diagnostic } }));
  });
  t.after(() => shop.stop());
  const { store } = await farebox(['pay', shop.url, '--yes']);
  stops = false;
  const blocked = await farebox(['pay', shop.url, '--yes'], { store });
  assert.equal(blocked.code, 3);
  assert.match(blocked.err, /endpoint_blocked: [^]*run npx farebox unblock URL/);
  for (const [words, says] of [
    [['-X', 'POST'], /was not blocked/],
    [[], /may be paid again/],
    [[], /was not blocked/],
  ] as const) {
    const { code, err } = await farebox(['unblock', shop.url, ...words], { store, key: '' });
    assert.equal(code, 0);
    assert.match(err, says);
  }
  assert.equal((await farebox(['pay', shop.url, '--yes'], { store })).code, 0);
});

test('the key comes from the environment or a file, never from an argument, and is never shown', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const file = join(home, 'key');
  writeFileSync(file, `${PAYER_KEY.slice(2)}\n`);
  assert.equal((await farebox(['pay', shop.url, '--yes', '--key-file', file], { key: '' })).code, 0);
  const wrong: readonly (readonly [words: readonly string[], key: string | undefined, told: RegExp])[] = [
    [['pay', shop.url, '--yes'], '', /there is no key: set FAREBOX_PRIVATE_KEY/],
    [['pay', shop.url, '--yes'], PAYER_KEY.slice(0, 40), /invalid_key/],
    [['pay', shop.url, PAYER_KEY, '--yes'], undefined, /an argument after the URL; a key is never one/],
    [['pay', PAYER_KEY], undefined, /the URL has to begin with https/],
    [['pay', shop.url, '--key', PAYER_KEY], undefined, /a key is never an argument/],
    [['pay', shop.url, `--key=${PAYER_KEY}`], undefined, /a key is never an argument/],
    [['pay', shop.url, `--${PAYER_KEY}`], undefined, /not understood/],
    [['pay', shop.url, '--key-file', join(home, 'none')], '', /the file of the key cannot be read: ENOENT/],
    [[PAYER_KEY], undefined, /the first word is one of find, look, pay, resend, unblock, receipt, link, skill/],
  ];
  const before = shop.requests.length;
  for (const [words, key, told] of wrong) {
    const { code, out, err } = await farebox(words, key === undefined ? {} : { key });
    assert.deepEqual([code, out], [2, ''], words.join(' ').slice(0, 40));
    assert.match(err, told);
  }
  assert.equal(shop.requests.length, before, 'nothing was sent');
});

test('what cannot be used is told before anything is sent', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const file = join(home, 'policy');
  writeFileSync(file, '{"perDay": 1}');
  const wrong: readonly (readonly string[])[] = [
    [],
    ['pay'],
    ['look'],
    ['buy', shop.url],
    ['pay', 'shop.example'],
    ['pay', 'ftp://shop.example'],
    ['pay', shop.url, '-H', 'no colon'],
    ['pay', shop.url, '-d'],
    ['pay', shop.url, '--max', 'five'],
    ['pay', shop.url, '--policy', file],
    ['look', shop.url, '--policy', file],
    ['pay', shop.url, '--policy', join(home, 'none')],
    ['pay', shop.url, '-d', `@${join(home, 'none')}`],
    ['receipt'],
    ['receipt', 'nonsense'],
    ['resend'],
    ['resend', join(home, 'none')],
    ['resend', file],
    ['skill'],
    ['skill', 'sell'],
    ['skill', 'publish', file],
    ['skill', 'publish', '--market', shop.url],
    ['skill', 'publish', file, '--market', 'nowhere'],
    ['skill', 'publish', join(home, 'none'), '--market', shop.url],
    ['skill', 'version', file, '--market', shop.url],
    ['skill', 'withdraw', '--market', shop.url],
  ];
  for (const words of wrong) assert.equal((await farebox(words)).code, 2, words.join(' '));
  assert.equal(shop.requests.length, 0);
});

test('no answer at all is told as that', async () => {
  const shop = await open(honest);
  await shop.stop();
  const { code, err } = await farebox(['pay', shop.url, '--yes']);
  assert.deepEqual([code, err], [5, 'farebox: no answer came: ECONNREFUSED\n']);
});

test('receipt reads a header with and without its name, from an argument or from standard input', async () => {
  const header = base64(JSON.stringify(settlement()));
  for (const [word, input] of [
    [header, ''],
    [`PAYMENT-RESPONSE: ${header}`, ''],
    [JSON.stringify(settlement()), ''],
    ['-', `${header}\n`],
  ] as const) {
    const { code, out } = await farebox(['receipt', word], { input });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), { receipt: settlement(), signer: null });
  }
});

//
test('text of others hides nothing on a terminal and moves no cursor, and its JSON means the same', async (t) => {
  const hidden = ['\u001b', '\u009b', '\u202e', '\u200b', '\u2028', '\u{e0041}'];
  const evil = { ...settlement(), note: hidden.map((c) => `a${c}b`).join('') };
  const { code, out } = await farebox(['receipt', JSON.stringify(evil)]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(out), { receipt: evil, signer: null });
  const shop = await open((_, response) =>
    ask(
      response,
      terms([{ ...OFFER, extra: { ...OFFER.extra, name: evil.note } }], {
        error: evil.note,
        resource: { url: shop.url, description: evil.note },
      }),
    ),
  );
  t.after(() => shop.stop());
  const texts = [out];
  for (const words of [
    ['look', shop.url],
    ['look', shop.url, '--json'],
    ['pay', shop.url, '--yes', '--max', '0.001'],
    ['pay', shop.url],
  ]) {
    const run = await farebox(words);
    texts.push(run.out, run.err);
  }
  for (const text of texts) for (const c of hidden) assert.ok(!text.includes(c), JSON.stringify([c, text]));
});

test('help names every option and code, and the version is that of the package', async () => {
  const { code, out } = await farebox(['--help'], { key: '' });
  assert.equal(code, 0);
  for (const word of [
    'find',
    'look',
    'pay',
    'resend',
    'receipt',
    'link',
    'skill',
    '--market',
    '--yes',
    '--key-file',
    'FAREBOX_PRIVATE_KEY',
    '--per-day',
    'Exit codes',
  ])
    assert.ok(out.includes(word), word);
  const { version } = JSON.parse(readFileSync('pkg/package.json', 'utf8')) as { version: string };
  assert.equal((await farebox(['--version'])).out, `${version}\n`);
  assert.ok(!existsSync(join(home, '.farebox')), 'nothing was kept outside the folders that were named');
});

test('shells complete the names of the commands, and a name that is almost one is told', async () => {
  const { out } = await farebox(['completion', 'bash']);
  const asked = `${out}\nCOMP_LINE='farebox re'; compgen -W "$(complete -p farebox | sed "s/.*-W '\\(.*\\)' farebox/\\1/")" -- re`;
  const found = execFileSync('bash', ['-c', asked], { encoding: 'utf8' }).trim().split('\n').sort();
  assert.deepEqual(found, ['receipt', 'refund', 'resend', 'resolve', 'restore', 'reviews']);
  assert.equal((await farebox(['completion', 'csh'])).code, 2);
  assert.match((await farebox(['serv'])).err, /did you mean serve\? /);
});

test('resend says of a payment that has ended that pay goes on with it, and nothing else', async (t) => {
  const shop = await open((request, response) =>
    paymentOf(request) === undefined ? ask(response) : void response.writeHead(404).end('no'),
  );
  t.after(() => shop.stop());
  const first = await farebox(['pay', shop.url, '--yes']);
  const { store } = first;
  const kept = fileStore(store);
  const { record, version } = await kept.read();
  const { sent, ...rest } = JSON.parse(record ?? '') as { sent: [string, number, boolean, string][] };
  const [[name, at, , text]] = sent as [[string, number, boolean, string]];
  const ended = JSON.stringify({ ...JSON.parse(text), ends: 1 });
  assert.ok(await kept.replace(version, JSON.stringify({ ...rest, sent: [[name, at, true, ended]] })));
  const file = /the payment is in (\S+);/.exec(first.err)?.[1] ?? assert.fail(first.err);
  const { code, out, err } = await farebox(['resend', file], { store, key: '' });
  assert.deepEqual([code, out], [2, '']);
  assert.equal(err, 'farebox: this payment has ended and is not sent any more: npx farebox pay with the same request goes on with it\n');
  assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
});

//
test('resend asks for the URL that was asked for, wherever it redirects, and says what is true of its payment', async (t) => {
  let answers: 'nothing' | 'other terms' | 'goods' = 'nothing';
  const shop = await open((request, response) => {
    if (request.url === '/report') return void response.writeHead(301, { location: '/report/' }).end();
    if (paymentOf(request) === undefined) return ask(response);
    if (answers === 'other terms') return ask(response, terms([{ ...OFFER, amount: '20000' }]));
    if (answers === 'goods') return serve(response);
    response.writeHead(500).end();
  });
  t.after(() => shop.stop());
  const { store, err } = await farebox(['pay', `${shop.url}/report`, '--yes']);
  const file = /the payment is in (\S+);/.exec(err)?.[1] ?? assert.fail(err);
  const { url, askedUrl } = JSON.parse(readFileSync(file, 'utf8')) as { url: string; askedUrl?: string };
  assert.deepEqual([url, askedUrl], [`${shop.url}/report/`, `${shop.url}/report`]);
  answers = 'other terms';
  const changed = await farebox(['resend', file], { store, key: '' });
  assert.deepEqual([changed.code, changed.out], [4, '']);
  assert.match(changed.err, /asks for another signature by now/);
  answers = 'goods';
  const came = await farebox(['resend', file], { store, key: '' });
  assert.deepEqual([came.code, came.out], [0, GOODS], came.err);
  assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
  // What was delivered is not open any more: then its own bytes go to the URL that was paid.
  assert.equal((await farebox(['resend', file], { store, key: '' })).code, 0);
  assert.equal(shop.requests.at(-1)?.url, '/report/');
});

//
test('pay shows the URL that was asked for, and the one to which it leads', async (t) => {
  const shop = await open((request, response) => {
    if (request.url === '/cheap') response.writeHead(302, { location: '/dear?of=others' }).end();
    else honest(request, response);
  });
  t.after(() => shop.stop());
  const { err } = await farebox(['pay', `${shop.url}/cheap`], { input: 'n\n' });
  assert.ok(err.includes(`request  GET ${shop.url}/cheap\nleads to ${shop.url}/dear?of=others\n`), err);
  const straight = await farebox(['pay', `${shop.url}/dear`], { input: 'n\n' });
  assert.deepEqual([straight.err.includes(`request  GET ${shop.url}/dear\n`), straight.err.includes('leads to')], [true, false]);
});

//
test('pay keeps no payment that never left, so that none is sent again beside the one that did', async (t) => {
  const [asks, held]: [(() => void)[], (() => void)[]] = [[], []];
  const shop = await open((request, response) => {
    const payment = paymentOf(request);
    if (payment === undefined && asks.length === 0) return void asks.push(() => ask(response, terms([ON_BASE])));
    if (payment === undefined) return ask(response);
    held.push(() => serve(response));
  });
  t.after(() => shop.stop());
  const words = ['pay', shop.url, '--yes', '-H', 'Idempotency-Key: order-7'];
  const store = join(home, String((folders += 1)), 'budget');
  const slow = farebox(words, { store });
  await eventually('the first one has asked', () => asks.length === 1);
  const quick = farebox(words, { store });
  await eventually('the second one has paid', () => held.length === 1);
  asks[0]?.();
  const late = await slow;
  assert.deepEqual([late.code, readdirSync(dirname(store)).filter((name) => name.startsWith('payment-'))], [4, []], late.err);
  assert.match(late.err, /payment_unresolved/);
  held[0]?.();
  assert.deepEqual([(await quick).out, shop.requests.map(paymentOf).filter((it) => it !== undefined).length], [GOODS, 1]);
});

test('what has ended and may have been charged is not paid again by --yes alone', async (t) => {
  const shop = await open((request, response) => {
    if (credentialOf(request) === undefined) askFor(response, [challenge()]);
    else response.writeHead(404).end('no');
  });
  t.after(() => shop.stop());
  const { store } = await farebox(['pay', shop.url, '--yes']);
  // As it is after its end.
  const kept = fileStore(store);
  const { record, version } = await kept.read();
  const { sent, ...rest } = JSON.parse(record ?? '') as { sent: [string, number, boolean, string][] };
  const [[name, at, isOpen, text]] = sent as [[string, number, boolean, string]];
  assert.equal(isOpen, true);
  assert.ok(
    await kept.replace(version, JSON.stringify({ ...rest, sent: [[name, at, true, JSON.stringify({ ...JSON.parse(text), ends: 1 })]] })),
  );
  const charges = (): number => new Set(shop.requests.map(credentialOf).filter((it) => it !== undefined)).size;
  const unasked = await farebox(['pay', shop.url, '--yes'], { store });
  assert.match(
    unasked.err,
    /an earlier payment for this request has ended, and may have been charged[^]*not paid again by --yes alone[^]*declined/,
  );
  assert.equal(charges(), 1);
  await farebox(['pay', shop.url], { store, input: 'y\n' });
  assert.equal(charges(), 2);
});
