// The treasury from the package, deployed by a project without Rust: wrangler bundles the three lines of demo/js-treasury, the
// check takes its file, and what would be uploaded gives an agent a decision in workerd.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';

import { AgentPayClient } from '../../pkg/dist/agent/index.js';
import { check } from '../../scripts/check/index.mjs';
import { root } from '../../scripts/steps.mjs';
import { Miniflare, type MiniflareOptions } from '../support/miniflare.ts';
import { ask, open, type Shop } from './shop.ts';
import { installedProject, packPackage, started, temporaryFolder } from './tarball.ts';

const EXAMPLE = 'demo/js-treasury';
const KEY = `fbk_acme_0123456789abcdef_${'ab'.repeat(32)}`;

let shop: Shop;
const folder = temporaryFolder();
const project = join(folder.path, 'my-treasury');
before(async () => {
  shop = await open((_, response) => ask(response));
  const files = readdirSync(EXAMPLE).filter((name) => name !== 'node_modules');
  const contents = files.map((name) => [name, readFileSync(join(EXAMPLE, name), 'utf8')]);
  await installedProject(project, await packPackage(folder.path, 'pkg/treasury'), Object.fromEntries(contents));
});
after(async () => {
  await shop?.stop();
  folder.remove();
});

test('the file of the example has no error, and its secrets are named', async () => {
  const { ok, errors, warnings, notes } = await check({ file: `${EXAMPLE}/wrangler.toml`, offline: true });
  assert.deepEqual(
    [ok, errors, warnings, notes.map(({ variable }) => variable).sort()],
    [true, [], [], ['OPERATOR_TOKEN', 'TREASURY_SECRET', 'WALLET_KEY']],
  );
});

test('wrangler takes it, and an agent gets a decision', async () => {
  const { stdout } = await started(
    process.execPath,
    [join(root, 'node_modules/wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', 'upload'],
    project,
    { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  );
  assert.match(stdout, /env\.TREASURY \(Treasury\)/);

  const upload = join(project, 'upload');
  const modules = readdirSync(upload)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort()
    .map((name) =>
      name.endsWith('.js')
        ? { type: 'ESModule' as const, path: name, contents: readFileSync(join(upload, name), 'utf8') }
        : { type: 'CompiledWasm' as const, path: name, contents: readFileSync(join(upload, name)) },
    );
  const mf = new Miniflare({
    cf: false,
    host: '127.0.0.1',
    port: 0,
    compatibilityDate: '2026-04-01',
    modules: modules.sort((a, b) => b.type.localeCompare(a.type)),
    durableObjects: { TREASURY: { className: 'Treasury', useSQLite: true } },
    bindings: {
      TREASURY_SECRET: 'cd'.repeat(32),
      OPERATOR_TOKEN: 'ef'.repeat(32),
      WALLET_KEY: `0x${'77'.repeat(32)}`,
      BUYER_KEY: KEY,
      TEST_NETWORKS_ONLY: true,
      WALLETS: [{ name: 'main', networks: ['eip155:84532'], secret: 'WALLET_KEY' }],
      ORGANIZATIONS: [{ name: 'acme', environment: 'test', policy: {}, agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }] }],
    },
    handleRuntimeStdio: (...streams: Readable[]) => streams.forEach((stream) => stream.resume()),
  } as MiniflareOptions);
  try {
    const { origin } = await mf.ready;
    const client = new AgentPayClient({
      controlPlaneBaseUrl: origin,
      organization: 'acme',
      agent: 'buyer',
      auth: { type: 'bootstrapKey', bootstrapKey: KEY },
    });
    await assert.rejects(client.fetchPaid(`${shop.url}/report`, undefined, {}), { name: 'FetchPaidError', kind: 'denied' });
    assert.equal(shop.requests.length, 1);
  } finally {
    await mf.dispose();
  }
});

test('anywhere else the treasury says in a sentence that it needs Workers', async () => {
  const main = "import('farebox-treasury').then(() => console.log('loaded'), (error) => console.log(error.message));";
  const { stdout } = await started(process.execPath, ['-e', main], project);
  assert.match(stdout, /^farebox-treasury runs on Cloudflare Workers only/);
});
