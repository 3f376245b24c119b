// The projects of `npm create farebox`, installed from the packages as npm would publish them, on a machine without Rust: each is checked and
// bundled, and each kind of gate runs by `npm run dev` and sells its own route by the line that it prints, while the chain moves the price.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';

import { createPublicClient, erc20Abi, http } from 'viem';

import { USDC } from '../../demo/chain.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { assertNoRust, packPackage, packPackages, started, type Tarball, temporaryFolder } from './tarball.ts';

const PAYEE = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const PRICE = 10_000n;
/** What the generated projects depend on, and what local money needs, as this repository has them. */
const WANTED = ['wrangler', 'hono', 'viem', '@x402/core', '@x402/evm'];

const folder = temporaryFolder();
const installed = join(folder.path, 'installed');
const children = new Set<ChildProcess>();
let tarballs: readonly Tarball[] = [];
let origin: Origin;

/** A PATH that has Node and the system, and no Rust. */
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
  CI: '1',
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

/** Runs a command and notes how long it took. */
async function timed(context: Pick<TestContext, 'diagnostic'>, cwd: string, line: string): Promise<string> {
  const began = Date.now();
  const { stdout } = await started('sh', ['-c', line], cwd, env);
  context.diagnostic(`${((Date.now() - began) / 1000).toFixed(1)} s: ${line.replaceAll(folder.path, '…')}`);
  return stdout;
}

before(async (context) => {
  origin = await startOrigin();
  tarballs = [...Object.values(await packPackages(folder.path, ['gate', 'treasury', 'market'])), await packPackage(folder.path, 'create')];
  const { devDependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const known: Record<string, string> = { ...devDependencies, ...optionalDependencies };
  const anvil = Object.keys(optionalDependencies).filter((name) => existsSync(join('node_modules', name)));
  const names = [...WANTED, ...anvil].map((name) => `${name}@${known[name]}`);
  mkdirSync(installed);
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: 'installed', private: true }));
  const all = [...tarballs.map(({ path }) => path), ...names].join(' ');
  await timed(context as TestContext, installed, `npm install --prefer-offline --no-audit --no-fund ${all}`);
});
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await origin?.stop();
  folder.remove();
});

/** The words of each template; an origin on this machine stands in for anybody's. */
function wordsOf(template: string): string {
  const words = [`--template ${template}`];
  if (template !== 'treasury' && template !== 'market') words.push(`--pay-to ${PAYEE}`);
  if (template === 'gate') words.push(`--origin ${origin.url} --price 'GET /report=$0.01'`);
  if (template === 'treasury' || template === 'market') words.push('--origin https://api.mine.net');
  return words.join(' ');
}

/** A project of a template beside what is installed. */
async function created(context: Pick<TestContext, 'diagnostic'>, template: string): Promise<string> {
  const at = join(folder.path, template);
  if (existsSync(at)) return at;
  await timed(context, folder.path, `${join(installed, 'node_modules/.bin/create-farebox')} ${template} ${wordsOf(template)}`);
  symlinkSync(join(installed, 'node_modules'), join(at, 'node_modules'));
  return at;
}

test('there is no Rust on the PATH of these tests', () => assertNoRust(env));

for (const template of ['gate', 'gate-worker', 'hono', 'static', 'treasury', 'market']) {
  test(`${template}: its packages are what it asks for, the check finds no error, and wrangler takes it`, async (context) => {
    const at = await created(context, template);
    await timed(context, at, 'npm ls --depth 0');
    const checked = await timed(context, at, 'npm run check -- --offline');
    assert.match(checked, template === 'market' ? /^wrangler\.toml: 0 errors, 2 warnings$/m : /^wrangler\.toml: 0 errors, 0 warnings$/m);
    const secrets = [...readFileSync(join(at, '.dev.vars.example'), 'utf8').matchAll(/^(\w+)=$/gm)].map(([, name]) => name);
    let file = 'wrangler.toml';
    if (template === 'gate') {
      // Its origin is on this machine, which no deployed Worker reaches.
      await assert.rejects(
        timed(context, at, 'npm run deploy -- --offline --dry-run'),
        /ORIGIN_URL: 127\.0\.0\.1 cannot be reached by a deployed/,
      );
      file = 'public.toml';
      writeFileSync(join(at, file), readFileSync(join(at, 'wrangler.toml'), 'utf8').replace(origin.url, 'https://api.mine.net'));
    }
    const deployed = await timed(context, at, `npm run deploy -- --offline --dry-run --config ${file}`);
    const said =
      new RegExp(`^it needs: (.*) \\(npx wrangler secret put NAME --config ${file}\\)$`, 'm').exec(deployed)?.[1]?.split(', ') ?? [];
    // The operator's token is not needed by a gate.
    for (const name of secrets) assert.ok(said.includes(name!) || name === 'OPERATOR_TOKEN', `${name}: ${deployed}`);
    const uploads = template === 'gate-worker' ? 2 : 1;
    assert.equal(deployed.match(/^--dry-run: exiting now\.$/gm)?.length, uploads);
  });
}

interface Dev {
  /** Everything that it wrote. */
  wrote(): string;
  stop(): Promise<number | null>;
}

/** `farebox dev` until it has printed its lines. */
async function developing(at: string): Promise<Dev> {
  const program = join(at, 'node_modules/farebox/dist/cli/main.js');
  const child = spawn(process.execPath, [program, 'dev'], { cwd: at, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  let text = '';
  await new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.includes("The operator's side")) resolve();
      });
    }
    void ended.then(() => resolve());
  });
  assert.match(text, /The operator's side/, text);
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return ended;
  };
  return { wrote: () => text, stop };
}

for (const [template, answer] of [
  ['gate', /Rainfall, Tuesday/],
  ['hono', /"path":"\/report","payer":"0x/],
  ['static', /Rainfall, Tuesday/],
  ['gate-worker', /"path":"\/report","payer":"0x/],
] as const) {
  test(`${template}: runs here, and the line that it prints buys its route for its price`, async (context) => {
    const at = await created(context, template);
    const began = Date.now();
    const dev = await developing(at);
    context.diagnostic(`${((Date.now() - began) / 1000).toFixed(1)} s: farebox dev`);
    try {
      const text = dev.wrote();
      const [, url = ''] = /^ {2}gate +(http:\S+)$/m.exec(text) ?? [];
      const [, rpc = ''] = /^ {2}RPC_URL +(http:\S+) \(local/m.exec(text) ?? [];
      const [, key = ''] = /^ {2}(export FAREBOX_PRIVATE_KEY=0x[0-9a-f]{64})$/m.exec(text) ?? [];
      const [, line = ''] = /^ {2}(npx farebox pay .*)$/m.exec(text) ?? [];
      const path = /'http:\/\/127\.0\.0\.1:\d+(\/[\w.]+)'$/.exec(line)?.[1];
      assert.equal((await fetch(`${url}${path}`)).status, 402);
      const chain = createPublicClient({ transport: http(rpc) });
      const balance = (): Promise<bigint> => chain.readContract({ address: USDC, abi: erc20Abi, functionName: 'balanceOf', args: [PAYEE] });
      const before = await balance();
      const bought = await timed(context, at, `${key}\n${line}`);
      assert.match(bought, answer);
      assert.equal((await balance()) - before, PRICE);
      assert.equal((await fetch(`${url}${path}`)).status, 402, 'the next one pays too');
      if (template === 'static') {
        const statuses = await Promise.all(
          ['/', '/style.css', '/index.html', '/worker.js', '/_farebox/desk/'].map((each) => fetch(`${url}${each}`)),
        );
        assert.deepEqual(
          statuses.map(({ status }) => status),
          [200, 200, 404, 404, 200],
        );
      }
    } finally {
      await dev.stop();
    }
  });
}

test('the lines buy by POST with the body of the description, above what is paid unasked, and by the unit', async (context) => {
  const at = join(folder.path, 'lines');
  const prices = ["'GET /report=$0.01'", "'POST /ask/[id]=$0.05'", "'GET /dear=$2.50'", "'GET /metered=$0.10'"].map(
    (price) => `--price ${price}`,
  );
  const words = `--template hono --pay-to ${PAYEE} ${prices.join(' ')}`;
  await timed(context, folder.path, `${join(installed, 'node_modules/.bin/create-farebox')} lines ${words}`);
  symlinkSync(join(installed, 'node_modules'), join(at, 'node_modules'));
  const edited = (file: string, from: string, to: string): void => {
    const text = readFileSync(join(at, file), 'utf8');
    assert.equal(text.split(from).length, 2, from);
    writeFileSync(join(at, file), text.replace(from, to));
  };
  const ask = 'methods = ["POST"]';
  edited('wrangler.toml', ask, `${ask}, bazaar = { body = "json", input = { q = "it's <b>" } }`);
  edited('wrangler.toml', 'path = "/metered"', 'path = "/metered", unit_price = "$0.001"');
  edited('worker.js', 'app.post("/ask/:id", (c) => c.json({', 'app.post("/ask/:id", async (c) => c.json({ asked: await c.req.json(),');
  edited('worker.js', 'app.get("/metered", (c) => c.json({', 'app.get("/metered", (c) => c.header("Farebox-Units", "3") ?? c.json({');
  const dev = await developing(at);
  try {
    const text = dev.wrote();
    const chain = createPublicClient({ transport: http(/^ {2}RPC_URL +(http:\S+) \(local/m.exec(text)?.[1]) });
    const balance = (): Promise<bigint> => chain.readContract({ address: USDC, abi: erc20Abi, functionName: 'balanceOf', args: [PAYEE] });
    const [, key = ''] = /^ {2}(export FAREBOX_PRIVATE_KEY=0x[0-9a-f]{64})$/m.exec(text) ?? [];
    const lines = [...text.matchAll(/^ {2}((?:echo .* \| )?npx farebox pay .*)$/gm)].map(([, line = '']) => line);
    const sold: [bigint, string][] = [];
    for (const line of lines) {
      const before = await balance();
      const bought = await timed(context, at, `${key}\n${line}`);
      sold.push([(await balance()) - before, bought]);
    }
    assert.deepEqual(
      sold.map(([paid]) => paid),
      [10_000n, 50_000n, 2_500_000n, 3_000n],
    );
    const { asked, path } = JSON.parse(sold[1]?.[1] ?? '');
    assert.deepEqual([asked, path], [{ q: "it's <b>" }, '/ask/1']);
  } finally {
    await dev.stop();
  }
});

test('a project that npm installs by itself is checked as in its workflow, and without local money says how to have it', async (context) => {
  const at = join(folder.path, 'alone');
  await timed(context, folder.path, `${join(installed, 'node_modules/.bin/create-farebox')} alone ${wordsOf('gate')}`);
  await timed(
    context,
    at,
    `npm install --prefer-offline --no-audit --no-fund ${tarballs
      .slice(0, 2)
      .map(({ path }) => path)
      .join(' ')}`,
  );
  rmSync(join(at, 'node_modules'), { recursive: true });
  await timed(context, at, 'npm ci --prefer-offline --no-audit --no-fund');
  await timed(context, at, 'npm run check -- --offline');
  const dev = await developing(at);
  try {
    const text = dev.wrote();
    assert.match(text, /to pay with local money instead: npm install --save-dev viem @x402\/core @x402\/evm @foundry-rs\/anvil-/);
    const [, url = ''] = /^ {2}gate +(http:\S+)$/m.exec(text) ?? [];
    const { accepts } = (await (await fetch(`${url}/report`)).json()) as { accepts: { payTo: string; maxAmountRequired: string }[] };
    assert.deepEqual(
      accepts.map(({ payTo, maxAmountRequired }) => [payTo, maxAmountRequired]),
      [[PAYEE, String(PRICE)]],
    );
  } finally {
    await dev.stop();
  }
});

test('with an error nothing is deployed', async (context) => {
  const at = await created(context, 'gate');
  const file = join(at, 'broken.toml');
  writeFileSync(file, readFileSync(join(at, 'wrangler.toml'), 'utf8').replace('DEFAULT = "deny"', 'DEFAULT = "allow"'));
  await assert.rejects(timed(context, at, 'npx farebox deploy --offline --dry-run --config broken.toml'), ({ message }: Error) => {
    assert.match(message, /^broken\.toml:\d+:1 DEFAULT: must be "free" or "deny"$/m);
    assert.match(message, /^nothing was deployed: mend the errors above first$/m);
    return !message.includes('Total Upload');
  });
});

test('upgrade says what an older configuration lacks, with the lines to add', async (context) => {
  const at = await created(context, 'gate');
  assert.match(
    await timed(context, at, 'npx farebox upgrade'),
    /^farebox [\d.]+, which is installed, says of wrangler\.toml:\nwrangler\.toml: 0 errors, 0 warnings$/m,
  );
  const older = readFileSync(join(at, 'wrangler.toml'), 'utf8')
    .replace('new_sqlite_classes = ["Ledger", "Channel"]', 'new_sqlite_classes = ["Ledger"]')
    .replace('[[durable_objects.bindings]]\nname = "CHANNEL"\nclass_name = "Channel"\n', '')
    .replace(/\[assets\]\n.*\n.*\n/, '')
    .replace('[vars]', '[vars]\nFORMERLY = "1"');
  writeFileSync(join(at, 'older.toml'), older);
  const told = await timed(context, at, 'npx farebox upgrade --config older.toml');
  assert.match(told, /^FORMERLY: this version does not read it/m);
  assert.match(
    told,
    /\n {2}\[\[durable_objects\.bindings\]\]\n {2}name = "CHANNEL"\n {2}class_name = "Channel"\n\n {2}\[\[migrations\]\]\n {2}tag = "v2"\n {2}new_sqlite_classes = \["Channel"\]\n/,
  );
  assert.match(told, /\n {2}\[assets\]\n {2}directory = "node_modules\/farebox-gate\/pages"\n/);
  // With what it says the check has nothing to add, and neither has it.
  const lines = [...told.matchAll(/^ {2}(.*)$|^$/gm)].map(([, line = '']) => line).join('\n');
  writeFileSync(join(at, 'newer.toml'), `${older.replace('FORMERLY = "1"\n', '').replace('[vars]', `${lines}\n[vars]`)}`);
  assert.match(
    await timed(context, at, 'npx farebox upgrade --config newer.toml'),
    /says of newer\.toml:\nnewer\.toml: 0 errors, 0 warnings$/m,
  );
});
