// Payments that the command line keeps because their content has not come: when they are sent again, and when they are not.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

import { fileStore } from '../../pkg/dist/file-store.js';
import { sentPayments } from '../../pkg/dist/resume.js';
import { update } from '../../pkg/dist/store.js';
import { eventually } from '../support/eventually.ts';
import { askFor, challenge, credentialOf } from './charges.ts';
import { farebox, home, newStore, whenRead } from './command-line.ts';
import { ask, base64, GOODS, honest, OFFER, ON_BASE, open, PAYER_KEY, paymentOf, serve, settlement, TRANSACTION, terms } from './shop.ts';

test('a payment that was signed and not answered as it should be is kept for its owner alone', async (t) => {
  const shop = await open((request, response) =>
    paymentOf(request) === undefined ? ask(response) : ask(response, terms([OFFER], { error: 'sold out' })),
  );
  t.after(() => shop.stop());
  const { code, out, err, store } = await farebox(['pay', shop.url, '--yes']);
  assert.deepEqual([code, out], [4, '']);
  assert.match(err, /payment_refused: .*sold out/);
  // Nothing says that it was charged at all.
  assert.match(err, /sends it again, and it is charged once at most$/m);
  const file = /is in (\S+\.json)/.exec(err)?.[1] ?? '';
  assert.ok(file.startsWith(join(store, '..')));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { header: [string, string] };
  assert.equal(kept.header[1], paymentOf(shop.requests[1]!));
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

test('a payment that is kept names its budget, wherever it is sent again', async (t) => {
  const shop = await open((request, response) =>
    paymentOf(request) === undefined ? ask(response) : void response.writeHead(500).end('oh'),
  );
  t.after(() => shop.stop());
  const [budget, cwd] = [newStore(), dirname(home)];
  const { err } = await farebox(['pay', shop.url, '--yes'], { store: relative(process.cwd(), budget) });
  const file = resolve(/is in (\S+\.json)/.exec(err)?.[1] ?? '');
  const again = spawn(process.execPath, [resolve('pkg/dist/cli/main.js'), 'resend', file], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  assert.deepEqual(await once(again, 'close'), [4, null]);
  assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
});

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

test('another key pays beside one that has signed once that has ended, and only if the command says so', async (t) => {
  let isPoor = true;
  const shop = await open((request, response) => {
    const payment = paymentOf(request);
    if (payment === undefined || isPoor) return ask(response, terms([OFFER], payment === undefined ? {} : { error: 'insufficient_funds' }));
    serve(response, settlement({ payer: '0x1563915e194D8CfBA1943570603F7606A3115508' }));
  });
  t.after(() => shop.stop());
  const words = ['pay', shop.url, '--yes'];
  const { err, store } = await farebox(words);
  assert.match(err, /insufficient_funds: [^]*fund the wallet that is named above[^]*--pay-again/);
  isPoor = false;
  const later = {
    store,
    key: `0x${'2'.repeat(64)}`,
    flags: ['--import', 'data:text/javascript,const now=Date.now;Date.now=()=>now()+3600000'],
  };
  const unresolved = await farebox(words, later);
  assert.match(unresolved.err, /payment_unresolved: another account [^]*with --pay-again beside it/);
  assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
  const bought = await farebox([...words, '--pay-again'], later);
  assert.deepEqual([bought.code, bought.out], [0, GOODS], bought.err);
});

test('a purchase whose reader has enough is over, and the same command buys anew', async (t) => {
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())) }).end('line\n'.repeat(400_000));
  });
  t.after(() => shop.stop());
  const store = newStore();
  for (let day = 1; day <= 2; day += 1) {
    const line = `set -o pipefail; ${process.execPath} pkg/dist/cli/main.js pay ${shop.url} --yes --store ${store} | head -1`;
    const ran = spawn('bash', ['-c', line], { env: { PATH: process.env['PATH'], HOME: home, FAREBOX_PRIVATE_KEY: PAYER_KEY } });
    const [code] = (await once(ran, 'close')) as [number];
    assert.equal(code, 0);
    assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, day);
    assert.deepEqual(
      (await sentPayments(fileStore(store))).map((it) => it.open),
      Array.from({ length: day }, () => false),
    );
  }
});

test('a purchase of which nobody took anything is not over, and the same command is charged no more', async (t) => {
  const shop = await open(honest);
  t.after(() => shop.stop());
  const store = newStore();
  for (const reader of ['false', 'cat > /dev/null']) {
    const line = `${process.execPath} pkg/dist/cli/main.js pay ${shop.url} --yes --store ${store} | ${reader}`;
    const ran = spawn('bash', ['-c', line], { env: { PATH: process.env['PATH'], HOME: home, FAREBOX_PRIVATE_KEY: PAYER_KEY } });
    await once(ran, 'close');
    assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1, reader);
    assert.deepEqual(
      (await sentPayments(fileStore(store))).map((it) => it.open),
      [reader === 'false'],
    );
  }
});

test('content that comes live is not waited for once its reader has left, whether they took any of it or not', async (t) => {
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    response.writeHead(200, { 'payment-response': base64(JSON.stringify(settlement())), 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write('data: 1\n\n'), 50);
    response.on('close', () => clearInterval(timer));
  });
  t.after(() => shop.stop());
  for (const [reader, wanted] of [
    ['false', 4],
    ['head -1 > /dev/null', 0],
  ] as const) {
    const command = `timeout 30 ${process.execPath} pkg/dist/cli/main.js pay ${shop.url} --yes --store ${newStore()}`;
    const env = { PATH: process.env['PATH'], HOME: home, FAREBOX_PRIVATE_KEY: PAYER_KEY };
    const ran = spawn('bash', ['-c', `${command} | ${reader}; exit \${PIPESTATUS[0]}`], { env });
    const [code] = (await once(ran, 'close')) as [number];
    assert.equal(code, wanted, reader);
  }
});

//
test('a budget that is gone once a person has agreed ends the call before the wallet signs', async (t) => {
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
  // Nothing was signed, says the code.
  assert.deepEqual([code, shop.requests.map(paymentOf)], [2, [undefined]], err);
  assert.match(err, /farebox: (?:ENOTDIR|EEXIST): .*budget/);
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
  assert.match(paid.err, /^continued a payment of \d\d:\d\d:\d\d: 0\.01 USDC /m);
  assert.doesNotMatch(paid.err, /^paid/m);
  const sent = (): number => new Set(shop.requests.map((request) => paymentOf(request)).filter((it) => it !== undefined)).size;
  assert.equal(sent(), 1);
  const anew = await farebox(['pay', shop.url, '--yes'], { store });
  assert.equal(sent(), 2);
  assert.match(anew.err, /^paid {5}0\.01 USDC /m);
});

test('a command that signs for the answer of an earlier payment alone says that it goes on', async (t) => {
  const isHeld = JSON.stringify({
    type: 'urn:farebox:problem:payment_already_delivered',
    code: 'payment_already_delivered',
    detail: 'words',
    retryable: false,
  });
  let isLost = true;
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (isLost) return void response.writeHead(504).end();
    if (request.headers['farebox-redelivery'] !== undefined) return serve(response);
    response.writeHead(409, { 'content-type': 'application/problem+json' }).end(isHeld);
  });
  t.after(() => shop.stop());
  const { store } = await farebox(['pay', shop.url, '--yes']);
  isLost = false;
  const { code, out, err } = await farebox(['pay', shop.url, '--yes'], { store });
  assert.deepEqual([code, out], [0, GOODS], err);
  assert.match(err, /^continued a payment of /m);
  assert.doesNotMatch(err, /^paid/m);
  assert.equal(
    shop.requests.filter(({ headers }) => headers['farebox-redelivery'] !== undefined).length,
    1,
    'the wallet has signed for it',
  );
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

test('resend tells what it has sent as signed, where the server then asks for the wallet', async (t) => {
  let isDelivered = false;
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (!isDelivered) return void response.writeHead(504).end();
    const problem = { type: 'urn:farebox:problem:payment_already_delivered', code: 'payment_already_delivered', retryable: false };
    response.writeHead(409, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
  });
  t.after(() => shop.stop());
  const { err, store } = await farebox(['pay', shop.url, '--yes']);
  isDelivered = true;
  const sent = await farebox(['resend', /is in (\S+\.json)/.exec(err)?.[1] ?? ''], { store, key: '' });
  assert.equal(sent.code, 4, sent.err);
  assert.match(sent.err, /asks for another signature by now, and resend signs nothing/);
});

test('resend says that a payment has ended, also where a new one would be beyond its policy', async (t) => {
  let price = 2_000_000;
  const shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response, terms([{ ...OFFER, amount: String(price), maxTimeoutSeconds: 1 }]));
    response.writeHead(504).end();
  });
  t.after(() => shop.stop());
  const { err, store } = await farebox(['pay', shop.url, '--yes', '--max', '5']);
  const file = /is in (\S+\.json)/.exec(err)?.[1] ?? '';
  price = 3_000_000;
  // As if its time had passed.
  const rows = fileStore(store);
  await update(rows, (record) => (record ?? '').replaceAll(/(\\"ends\\":)\d+/g, '$11000000000'));
  const ended = await farebox(['resend', file], { store, key: '' });
  assert.equal(ended.code, 2, ended.err);
  assert.match(ended.err, /has ended and is not sent any more: npx farebox pay/);
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

test('resend says why a payment is not sent where that is not its end', async (t) => {
  const diagnostic = { info: { code: 'OPERATOR_ALERT', escalate: true }, schema: { type: 'object' } };
  const shop = await open((request, response) =>
    paymentOf(request) === undefined ? ask(response) : ask(response, terms([OFFER], { error: 'sold out', extensions: { diagnostic } })),
  );
  t.after(() => shop.stop());
  const first = await farebox(['pay', shop.url, '--yes']);
  const file = /the payment is in (\S+);/.exec(first.err)?.[1] ?? assert.fail(first.err);
  // As if its time had passed.
  await update(fileStore(first.store), (record) => (record ?? '').replaceAll(/(\\"ends\\":)\d+/g, '$11000000000'));
  const { err } = await farebox(['resend', file], { store: first.store, key: '' });
  assert.match(err, /endpoint_blocked/);
  assert.ok(!err.includes('has ended'), err);
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
  assert.match(changed.err, /\n +npx farebox pay with the same request signs under the same nonce/);
  answers = 'goods';
  const came = await farebox(['resend', file], { store, key: '' });
  assert.deepEqual([came.code, came.out], [0, GOODS], came.err);
  assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
  // What was delivered is not open any more: then its own bytes go to the URL that was paid.
  assert.equal((await farebox(['resend', file], { store, key: '' })).code, 0);
  assert.equal(shop.requests.at(-1)?.url, '/report/');
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
  const store = newStore();
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
