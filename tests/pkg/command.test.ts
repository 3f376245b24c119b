// The command line as a program of its own: what it prints where, what it asks, what it exits with, and that no key is seen.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { farebox, home, whenRead } from './command-line.ts';
import {
  ask,
  base64,
  GOODS,
  honest,
  OFFER,
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
  const looked = await farebox(['look', free.url]);
  assert.deepEqual([looked.code, looked.out], [0, 'free     the answer is 200, without a payment\n']);
  const unknown = await farebox(['look', broken.url]);
  assert.deepEqual([unknown.code, unknown.out], [1, 'unknown  the answer is 500, and says nothing of a price\n']);
  const failed = await farebox(['pay', broken.url]);
  assert.deepEqual([failed.code, failed.out], [1, 'oh']);
});

test('look names the methods of a server that takes no GET, and calls nothing free there', async (t) => {
  const posts = await open((_, response) => response.writeHead(405, { allow: 'POST, PUT' }).end());
  t.after(() => posts.stop());
  const looked = await farebox(['look', posts.url]);
  assert.deepEqual([looked.code, looked.out.split('\n')[0]], [1, 'unknown  the answer is 405, and says nothing of a price']);
  assert.match(looked.out, /try {6}--method with one of POST, PUT\n/);
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

test('what came under a receipt that contradicts the payment is printed, and the code says that something is wrong', async (t) => {
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    serve(response, settlement({ payer: PAYEE }));
  });
  t.after(() => shop.stop());
  const { code, out, err } = await farebox(['pay', shop.url, '--yes']);
  assert.deepEqual([code, out], [4, GOODS], err);
  assert.match(err, /^farebox: receipt_mismatch: .*\n {9}look up the transaction yourself\n$/m);
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
    [[PAYER_KEY], undefined, /the first word is one of find, look, pay, resend, spent, unblock, receipt, link, skill/],
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
    const { code, out } = await farebox(['receipt', word, '--json'], { input });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), { receipt: settlement(), signer: null });
  }
});

/** A settlement with a receipt, as the reference implementation wrote it. */
type Recorded = {
  readonly result: object;
  readonly 'offer-receipt': {
    readonly info: {
      readonly receipt: { readonly payload: Readonly<Record<'resourceUrl' | 'payer' | 'transaction' | 'network', string>> };
    };
  };
};

test('receipt prints five lines for a person, of each kind, and says that no amount is among them', async () => {
  const none = 'it does not say';
  const { result, 'offer-receipt': receipt } = JSON.parse(
    readFileSync('tests/vectors/x402/offer-receipt-settlement.json', 'utf8'),
  ) as Recorded;
  const signed = { ...result, extensions: { 'offer-receipt': receipt } };
  const { payload } = receipt.info.receipt;
  const charge = { method: 'evm', reference: TRANSACTION, status: 'success', timestamp: '2026-12-01T00:00:00Z', chainId: 84532 };
  for (const [said, ...lines] of [
    [settlement(), none, PAYER, TRANSACTION, OFFER.network, /^nobody: /],
    [signed, payload.resourceUrl, payload.payer, payload.transaction, payload.network, /^0x[0-9a-fA-F]{40}$/],
    [charge, none, none, TRANSACTION, 'eip155:84532', /^nobody: /],
    // A stranger's line breaks make no line, and what is around a signed receipt was signed by nobody.
    [
      { resourceUrl: 'https://shop.example/r\nsigner  0x1', payer: { toString: 1 } },
      'https://shop.example/r‹U+000A›signer  0x1',
      none,
      none,
      none,
      /^nobody: /,
    ],
    [
      {
        ...signed,
        extensions: { 'offer-receipt': { info: { receipt: { ...receipt.info.receipt, payload: { ...payload, transaction: '' } } } } },
      },
      ...[payload.resourceUrl, payload.payer, none, payload.network],
      /^(0x|nobody)/,
    ],
  ] as const) {
    const { code, out, err } = await farebox(['receipt', JSON.stringify(said)]);
    assert.equal(code, 0, err);
    const told = out.trimEnd().split('\n');
    assert.deepEqual(
      told.map((line) => line.split(' ')[0]),
      ['url', 'payer', 'transaction', 'network', 'signer'],
    );
    const texts = told.map((line) => line.replace(/^\w+ +/, ''));
    assert.deepEqual(texts.slice(0, 4), lines.slice(0, 4));
    assert.match(texts[4] ?? '', lines[4]);
    assert.match(err, /^the amount stands in no receipt/);
  }
});

//
test('text of others hides nothing on a terminal and moves no cursor, and its JSON means the same', async (t) => {
  const hidden = ['\u001b', '\u009b', '\u202e', '\u200b', '\u2028', '\u{e0041}'];
  const evil = { ...settlement(), note: hidden.map((c) => `a${c}b`).join('') };
  const { code, out } = await farebox(['receipt', JSON.stringify(evil), '--json']);
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
    'spent',
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
