// The package as it is published, in the surroundings that it is made for: the program at the top of its README pays the
// gate there, and the chain moves the price. Bundles for pages run in Node here, which stands in for a page: they carry
// the compiled part as a page does and touch nothing of Node.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import * as esbuild from 'esbuild';
import { build as vite } from 'vite';
import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { unbuilt } from '../../scripts/prepack.mjs';
import { root } from '../../scripts/steps.mjs';
import { changesDuring, startWorld, transfersOf, type World } from '../e2e/world.ts';
import { Miniflare, type MiniflareOptions } from '../support/miniflare.ts';
import { alikeProject, installedProject, packPackage, readmeLines, started, type Tarball, temporaryFolder } from './tarball.ts';

let world: World;
let tarball: Tarball;
const folder = temporaryFolder();
/** A project with the package and no file of its own. */
const installed = join(folder.path, 'installed');
before(async () => {
  // First what can fail: a world that nobody stops keeps the file from ending.
  tarball = await packPackage(folder.path);
  world = await startWorld();
  await installedProject(installed, tarball, { 'package.json': JSON.stringify({ name: 'installed', private: true }) });
});
after(async () => {
  await world?.stop();
  folder.remove();
});

/** The README's program for this world. */
function program(): { import: string; rest: string } {
  return readmeLines(world.chain.accounts.payer.privateKey, `${world.gate.url}/report`);
}

/** A new project with the package, as npm has installed it. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder.path, name);
  alikeProject(installed, path, files);
  return path;
}

/** Runs something that prints what the README's program prints; the price moves once, in the transaction it names. */
async function pays(run: () => Promise<string>): Promise<void> {
  const { payer, payee } = world.chain.accounts;
  const { result: printed, change } = await changesDuring(world, payer.address, run);
  assert.deepEqual(
    { paid: change.paid, received: change.received, asked: change.asked },
    { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1 },
  );
  assert.match(printed, /Rainfall, Tuesday/);
  const transaction = /^0x[0-9a-f]{64}$/m.exec(printed)?.[0] as `0x${string}` | undefined;
  assert.ok(transaction, printed);
  assert.deepEqual(await transfersOf(world, transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
}

const runNode = async (cwd: string, file: string): Promise<string> => (await started(process.execPath, [file], cwd)).stdout;

test('the tarball has what package.json names, its licences, and no source or test', () => {
  const has = (pattern: RegExp): boolean => tarball.files.some((file) => pattern.test(file));
  for (const file of [
    'README.md',
    'LICENSE-MIT',
    'LICENSE-APACHE',
    'package.json',
    'dist/index.js',
    'dist/index.d.ts',
    'wasm/farebox.wasm',
  ]) {
    assert.ok(tarball.files.includes(file), file);
  }
  assert.ok(!has(/^src\/|\.test\.|tsconfig/), tarball.files.join(' '));
  const { bin, dependencies, scripts, exports, imports } = JSON.parse(readFileSync('pkg/package.json', 'utf8'));
  assert.equal(dependencies, undefined);
  assert.deepEqual(Object.keys(scripts), ['prepack'], 'nothing runs when it is installed');
  const targets = [bin, exports, imports]
    .flatMap((map) => Object.values<string | Record<string, string>>(map))
    .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)));
  for (const target of targets) assert.ok(tarball.files.includes(target.slice(2)), target);
});

test('Node: an ES module pays', async () => {
  const { import: imported, rest } = program();
  const at = project('node-esm', { 'main.mjs': `${imported}\n${rest}` });
  await pays(() => runNode(at, 'main.mjs'));
});

test('Node: a CommonJS module pays, by `await import`', async () => {
  const { import: imported, rest } = program();
  const asked = imported.replace(/^import (.*) from (.*);$/, 'const $1 = await import($2);');
  const at = project('node-cjs', { 'main.cjs': `(async () => {\n${asked}\n${rest}\n})();` });
  await pays(() => runNode(at, 'main.cjs'));
});

for (const [format, file] of [
  ['esm', 'bundle.mjs'],
  ['cjs', 'bundle.cjs'],
] as const) {
  test(`Node: a bundle made with --platform=node --format=${format} pays, in a folder of its own`, async () => {
    const { import: imported, rest } = program();
    const at = project(`node-esbuild-${format}`, { 'main.js': `${imported}\n(async () => {\n${rest}\n})();` });
    const outfile = join(at, 'alone', file);
    const { warnings } = await esbuild.build({
      absWorkingDir: at,
      entryPoints: ['main.js'],
      outfile,
      bundle: true,
      format,
      platform: 'node',
      logLevel: 'silent',
    });
    assert.deepEqual(warnings, []);
    await pays(() => runNode(join(at, 'alone'), file));
  });
}

test('Node: a handler that a bundle exports as CommonJS pays, with the agent', async () => {
  const at = project('node-handler', {
    'handler.js': `import { createLocalAgentClient } from 'farebox/agent';
export const handler = async ({ url, key }) => {
  const client = createLocalAgentClient({ signer: key, policy: { perDay: '1' } });
  const { response, receipt } = await client.fetchPaid(url, undefined, {});
  return (await response.text()) + '\\n' + receipt.paymentReference;
};`,
    'run.cjs': `require('./alone/handler.cjs').handler({ url: '${world.gate.url}/report', key: '${world.chain.accounts.payer.privateKey}' }).then(console.log);`,
  });
  const { warnings } = await esbuild.build({
    absWorkingDir: at,
    entryPoints: ['handler.js'],
    outfile: join(at, 'alone/handler.cjs'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    minify: true,
    logLevel: 'silent',
  });
  assert.deepEqual(warnings, []);
  await pays(() => runNode(at, 'run.cjs'));
});

test('the command line of an installed package looks and pays', async () => {
  const at = project('command', {});
  const env = { ...process.env, FAREBOX_PRIVATE_KEY: world.chain.accounts.payer.privateKey };
  const words = (...args: string[]): Promise<{ stdout: string }> =>
    started('npx', ['--offline', 'farebox', ...args, '--store', join(at, 'budget')], at, env);
  const url = `${world.gate.url}/report`;
  const { stdout: looked } = await words('look', url);
  assert.match(looked, /0\.01 USDC \(10000\), test money/);
  const { payer } = world.chain.accounts;
  const { result, change } = await changesDuring(world, payer.address, () => words('pay', url, '--yes'));
  assert.match(result.stdout, /Rainfall, Tuesday/);
  assert.equal(change.paid, PRICE_ATOMIC);
});

test('a tree that is not built is not packed', async () => {
  const at = join(folder.path, 'unbuilt');
  const source = (name: string): string => join(at, name);
  for (const [name, text] of Object.entries({ 'package.json': readFileSync('pkg/package.json', 'utf8'), 'src/index.ts': '' })) {
    mkdirSync(join(source(name), '..'), { recursive: true });
    writeFileSync(source(name), text);
  }
  assert.ok(unbuilt(at).includes('dist/index.js is missing'));
  assert.ok(unbuilt(at).includes('wasm/node.js is missing'));
  for (const built of ['pkg', 'pkg/gate', 'pkg/treasury', 'pkg/market', 'mcp', 'create']) assert.deepEqual(unbuilt(built), [], built);
  mkdirSync(source('dist'));
  writeFileSync(source('dist/index.d.ts'), '');
  utimesSync(source('dist/index.d.ts'), 1, 1);
  assert.ok(unbuilt(at).includes('dist is older than src/index.ts'));
});

test('a release names its repository and asks for provenance, and without a repository all but its last step is done', async () => {
  const release = (repository: string): Promise<{ stdout: string }> =>
    started(process.execPath, ['scripts/release.mjs', '--dry-run', '--no-build'], root, { ...process.env, FAREBOX_REPOSITORY: repository });
  const { stdout } = await release('git@github.com:you/farebox.git');
  const published = [...stdout.matchAll(/^ {2}npm publish build\/release\/([a-z-]+)-0/gm)].map(([, name]) => name);
  assert.deepEqual(published, ['farebox', 'farebox-gate', 'farebox-treasury', 'farebox-market', 'farebox-mcp', 'create-farebox']);
  const { repository, publishConfig } = JSON.parse(readFileSync('build/release/pkg/package.json', 'utf8'));
  assert.deepEqual([repository.url, publishConfig], ['git+https://github.com/you/farebox.git', { access: 'public', provenance: true }]);
  assert.ok(existsSync('build/release/publish.sh'));
  const { stdout: without } = await release('unknown');
  assert.match(without, /\nAll is ready but one thing: .*FAREBOX_REPOSITORY=https:.*\n$/);
  assert.ok(!without.includes('npm publish build'));
  assert.ok(!existsSync('build/release/publish.sh'));
});

test('the lines of the README compile under strict', async () => {
  const blocks = [...readFileSync('pkg/README.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, block = '']) => block);
  // What the text around them tells of, and what a wallet's library declares.
  const known = `import type { Eip1193Provider, Store, EscalationEvent, ViemSigner } from 'farebox';
import { channelFetch } from 'farebox/channels';
declare global { interface Window { ethereum: Eip1193Provider } }
declare const signer: string, store: Store, account: ViemSigner, erc20Abi: readonly object[];
declare function notify(event: EscalationEvent): void;
declare const wallet: { writeContract(call: object): Promise<string>; sendTransaction(call: object): Promise<string> };
declare const chain: { waitForTransactionReceipt(of: object): Promise<{ status: 'success' | 'reverted' }> };
`;
  const files = blocks.map((block, index): [string, string] => {
    const begins = /^(import|export)/.test(block);
    return [`block-${index}.mts`, `${begins ? '' : `import { payingFetch } from 'farebox';\n${known}`}${block}\nexport {};\n`];
  });
  assert.ok(files.length >= 5);
  const at = project('strict', Object.fromEntries(files));
  mkdirSync(join(at, 'node_modules/@types'), { recursive: true });
  for (const name of ['@types/node', 'undici-types']) symlinkSync(join(root, 'node_modules', name), join(at, 'node_modules', name));
  await started(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2022,dom,dom.iterable',
      '--types',
      'node',
      ...files.map(([name]) => name),
    ],
    at,
  );
});

test('a page built by Vite, in TypeScript under strict, pays (its script, in Node)', async () => {
  const { import: imported, rest } = program();
  const at = project('page-vite', {
    'index.html': '<!doctype html><script type="module" src="/main.ts"></script>',
    'main.ts': `${imported}\n${rest}\n`,
  });
  await started(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
      '--target',
      'es2022',
      '--lib',
      'es2022,dom',
      '--typeRoots',
      'none',
      'main.ts',
    ],
    at,
  );
  const told: string[] = [];
  const note = (message: string): void => {
    told.push(message);
  };
  await vite({
    root: at,
    configFile: false,
    logLevel: 'warn',
    // The polyfill that Vite puts in front of a page's script needs a document.
    build: { modulePreload: { polyfill: false } },
    customLogger: {
      info: () => {},
      warn: note,
      warnOnce: note,
      error: note,
      clearScreen: () => {},
      hasErrorLogged: () => false,
      hasWarned: false,
    },
  });
  assert.deepEqual(told, [], 'Vite has nothing to complain of');
  const scripts = readdirSync(join(at, 'dist', 'assets')).filter((name) => name.endsWith('.js'));
  assert.equal(scripts.length, 1, 'one script, and the compiled part in it');
  const script = join('dist', 'assets', scripts[0] ?? '');
  assertForPages(readFileSync(join(at, script), 'utf8'));
  await pays(() => runNode(at, script));
});

test('a page bundled by esbuild pays (its script, in Node), and is as small as tests/sizes.json says', async () => {
  const { import: imported, rest } = program();
  const at = project('page-esbuild', { 'main.js': `${imported}\n${rest}` });
  const script = await bundle(at, 'main.js', {});
  assertForPages(readFileSync(script, 'utf8'));
  assertSmall(script, 'package');
  await pays(() => runNode(at, script));
});

test('an agent in a page bundled by esbuild prepares and pays, and is as small as tests/sizes.json says', async () => {
  const at = project('page-agent', {
    'main.js': `import { AgentHarness, createLocalAgentClient } from 'farebox/agent';
const client = createLocalAgentClient({ signer: '${world.chain.accounts.payer.privateKey}', policy: { perDay: '1', hosts: ['${new URL(world.gate.url).host}'] } });
const harness = new AgentHarness({ client });
const { preparedId, costSummary } = await harness.preparePaidRequest({ url: '${world.gate.url}/report' });
const { merchantResponse, receiptId } = await harness.executePreparedRequest({ preparedId });
const { receipt } = await client.lookupReceipt(receiptId);
console.log(costSummary + '\\n' + merchantResponse.body + '\\n' + receipt.paymentReference);`,
  });
  const script = await bundle(at, 'main.js', {});
  assertForPages(readFileSync(script, 'utf8'));
  assertSmall(script, 'agent');
  await pays(async () => {
    const printed = await runNode(at, script);
    assert.match(printed, /^Costs 0\.010000 USDC on Base Sepolia \(exact\)\.$/m);
    return printed;
  });
});

test('TypeScript finds the types of every entry, with nothing else installed', async () => {
  const at = project('types', {
    'main.mts': `import { payingFetch, localSigner, receiptOf, FareboxError, type Policy, type Store } from 'farebox';
import { fileStore } from 'farebox/file-store';
import { objectStore, Budget } from 'farebox/object-store';
import { indexedDbStore } from 'farebox/indexeddb';
import { resume, sentPayments, type KeptPayment } from 'farebox/resume';
import { openSession } from 'farebox/session';
const policy: Policy = { perPayment: '0.05', assets: ['USDC'] };
const stores: Store[] = [fileStore('budget'), objectStore({ fetch: async () => new Response() }), indexedDbStore()];
const session = await openSession({ policy: { perDay: '1' }, lifetimeSecs: 60 });
export const inPage: typeof fetch = payingFetch({ ...session, onStep: (step, { amountText }) => console.log(step, amountText) });
const paid: typeof fetch = payingFetch({ signer: localSigner('0x'), policy, store: stores[0]!, resume, confirm: ({ price }) => price === '0.01' });
export const kept: KeptPayment[] = await sentPayments(stores[0]!);
const price: string | undefined = receiptOf(await paid('https://api.example.com'))?.price;
export { price, Budget, FareboxError };`,
  });
  await started(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2022,dom',
      'main.mts',
    ],
    at,
  );
});

test('a Worker pays, in workerd', async () => {
  const { import: imported, rest } = program();
  const at = project('worker', {
    'worker.js': `${imported}
export default {
  async fetch() {
    let printed = '';
    const console = { log: (value) => { printed += (typeof value === 'string' ? value : JSON.stringify(value)) + '\\n'; } };
    ${rest}
    return new Response(printed);
  },
};`,
  });
  const script = await bundle(at, 'worker.js', { conditions: ['workerd', 'worker'], external: ['*.wasm'] });
  // One compiled part: those of agents, cards, jobs and channels stay out.
  assert.equal(readFileSync(script, 'utf8').match(/["'][^"']*\.wasm["']/g)?.length, 1);
  const worker = inWorkerd(at, script);
  try {
    await pays(() => worker.ask());
  } finally {
    await worker.stop();
  }
});

test('a Worker keeps its budget in a Durable Object: what one request spent, the next has not', async () => {
  const { privateKey } = world.chain.accounts.payer;
  const at = project('worker-budget', {
    'worker.js': `import { localSigner, payingFetch, receiptOf } from 'farebox';
import { objectStore } from 'farebox/object-store';
export { Budget } from 'farebox/object-store';
export default {
  async fetch(request, env) {
    const store = objectStore(env.BUDGET.get(env.BUDGET.idFromName('agent')));
    const fetch = payingFetch({ signer: localSigner('${privateKey}'), policy: { perDay: '0.019' }, store });
    try {
      const response = await fetch('${world.gate.url}/report');
      return new Response(await response.text() + receiptOf(response).transaction);
    } catch (error) {
      return new Response(error.code);
    }
  },
};`,
  });
  const script = await bundle(at, 'worker.js', { conditions: ['workerd', 'worker'], external: ['*.wasm'] });
  const worker = inWorkerd(at, script, { durableObjects: { BUDGET: { className: 'Budget', useSQLite: true } } });
  try {
    const { payer } = world.chain.accounts;
    const { result: answers, change } = await changesDuring(world, payer.address, () =>
      Promise.all([worker.ask(), worker.ask(), worker.ask()]),
    );
    assert.equal(change.paid, PRICE_ATOMIC);
    assert.deepEqual(answers.filter((answer) => answer === 'budget_exhausted').length, 2, answers.join('\n'));
  } finally {
    await worker.stop();
  }
});

/** A bundled Worker in workerd. */
function inWorkerd(at: string, script: string, more: object = {}): { ask(): Promise<string>; stop(): Promise<void> } {
  const mf = new Miniflare({
    cf: false,
    compatibilityDate: '2026-04-01',
    modules: [
      { type: 'ESModule', path: 'index.js', contents: readFileSync(script, 'utf8') },
      { type: 'CompiledWasm', path: 'farebox.wasm', contents: readFileSync(join(at, 'node_modules/farebox/wasm/farebox.wasm')) },
    ],
    ...more,
  } as MiniflareOptions);
  return {
    ask: async () => {
      const response = await mf.dispatchFetch('http://worker/');
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return text;
    },
    stop: () => mf.dispose(),
  };
}

/** One script of an entry and the package; its path. */
async function bundle(at: string, entry: string, options: esbuild.BuildOptions): Promise<string> {
  const outfile = join(at, 'bundle.mjs');
  const { warnings } = await esbuild.build({
    absWorkingDir: at,
    entryPoints: [entry],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    logLevel: 'silent',
    ...options,
  });
  assert.deepEqual(warnings, []);
  return outfile;
}

/** What a page loads is at most what is written down. */
function assertSmall(script: string, budget: 'agent' | 'package'): void {
  const { gzip_bytes: most } = JSON.parse(readFileSync('tests/sizes.json', 'utf8'))[budget] as { gzip_bytes: number };
  const bytes = gzipSync(readFileSync(script), { level: 9 }).length;
  assert.ok(bytes > 50_000 && bytes <= most, `${bytes} bytes, at most ${most}`);
}

/** Nothing of Node, and nothing that would be fetched. */
function assertForPages(script: string): void {
  assert.doesNotMatch(script, /\bfrom ?["']|node:fs|import\.meta\.url|\.wasm["'`]/);
}
