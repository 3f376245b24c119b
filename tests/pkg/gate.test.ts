// The gate from the package, deployed by a project without Rust: wrangler bundles the four lines of demo/js-gate, and what
// it would upload serves a paid request in workerd.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { gateVars, PRICE_ATOMIC } from '../../demo/gate.mjs';

import { localSigner, payingFetch, receiptOf } from '../../pkg/dist/index.js';
import { randomSecrets } from '../../scripts/miniflare.mjs';
import { root } from '../../scripts/steps.mjs';
import { changesDuring, startWorld, transfersOf, type World } from '../e2e/world.ts';
import { Miniflare, type MiniflareOptions } from '../support/miniflare.ts';
import { installedProject, packPackages, started, temporaryFolder } from './tarball.ts';

const EXAMPLE = 'demo/js-gate';

let world: World;
const folder = temporaryFolder();
const project = join(folder.path, 'my-gate');
before(async () => {
  world = await startWorld();
  const files = readdirSync(EXAMPLE).filter((name) => name !== 'node_modules');
  const contents = files.map((name) => [name, readFileSync(join(EXAMPLE, name), 'utf8')]);
  await installedProject(project, Object.values(await packPackages(folder.path, ['gate'])), Object.fromEntries(contents));
});
after(async () => {
  await world?.stop();
  folder.remove();
});

test('the example has four lines, and wrangler takes them; a paid request is served once, for the price', async () => {
  assert.ok(readFileSync(join(EXAMPLE, 'worker.js'), 'utf8').trimEnd().split('\n').length <= 4);
  const { stdout } = await started(
    process.execPath,
    [join(root, 'node_modules/wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', 'upload'],
    project,
    { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  );
  assert.match(stdout, /env\.LEDGER \(Ledger\)/);

  const upload = join(project, 'upload');
  const modules = readdirSync(upload)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort()
    .map((name) =>
      name.endsWith('.js')
        ? { type: 'ESModule' as const, path: name, contents: readFileSync(join(upload, name), 'utf8') }
        : { type: 'CompiledWasm' as const, path: name, contents: readFileSync(join(upload, name)) },
    );
  assert.deepEqual(modules.map(({ type }) => type).sort(), ['CompiledWasm', 'ESModule']);

  const mf = new Miniflare({
    cf: false,
    host: '127.0.0.1',
    port: 0,
    compatibilityDate: '2026-04-01',
    modules: modules.sort((a, b) => b.type.localeCompare(a.type)),
    durableObjects: { LEDGER: { className: 'Ledger', useSQLite: true } },
    bindings: { ...randomSecrets(), ...gateVars(world) },
    handleRuntimeStdio: (...streams: Readable[]) => streams.forEach((stream) => stream.resume()),
  } as MiniflareOptions);
  try {
    const { origin: url } = await mf.ready;
    const { payer, payee } = world.chain.accounts;
    assert.equal((await fetch(`${url}/report`)).status, 402);
    assert.equal((await fetch(`${url}/about`)).status, 200);
    const paying = payingFetch({ signer: localSigner(payer.privateKey) });
    const { result: response, change } = await changesDuring(world, payer.address, () => paying(`${url}/report`));
    assert.equal(response.status, 200, await response.clone().text());
    assert.deepEqual([change.paid, change.received, change.asked, change.settled], [PRICE_ATOMIC, PRICE_ATOMIC, 1, 1]);
    const transaction = receiptOf(response)?.transaction as `0x${string}`;
    assert.deepEqual(await transfersOf(world, transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
  } finally {
    await mf.dispose();
  }
});

test('anywhere else the gate says in a sentence that it needs Workers', async () => {
  const main = "import('farebox-gate').then(() => console.log('loaded'), (error) => console.log(error.message));";
  const { stdout } = await started(process.execPath, ['-e', main], project);
  assert.match(stdout, /^farebox-gate runs on Cloudflare Workers only/);
});
