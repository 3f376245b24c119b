// The market from the package, deployed by a project without Rust: wrangler bundles the lines of demo/js-market, the check takes its
// file, and what would be uploaded serves its page in workerd.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';

import { check } from '../../scripts/check/index.mjs';
import { root } from '../../scripts/steps.mjs';
import { Miniflare, type MiniflareOptions } from '../support/miniflare.ts';
import { installedProject, packPackage, started, temporaryFolder } from './tarball.ts';

const EXAMPLE = 'demo/js-market';

const folder = temporaryFolder();
const project = join(folder.path, 'my-market');
before(async () => {
  const files = readdirSync(EXAMPLE).filter((name) => name !== 'node_modules');
  const contents = files.map((name) => [name, readFileSync(join(EXAMPLE, name), 'utf8')]);
  await installedProject(project, await packPackage(folder.path, 'pkg/market'), Object.fromEntries(contents));
});
after(() => folder.remove());

test('the file of the example has no error, and its secrets are named', async () => {
  const { ok, errors, notes } = await check({ file: `${EXAMPLE}/wrangler.toml`, offline: true });
  assert.deepEqual(
    [ok, errors, notes.map(({ variable }) => variable).sort()],
    [true, [], ['LOOKUP_TOKEN', 'MARKET_SECRET', 'OPERATOR_TOKEN', 'ORIGIN_SECRET']],
  );
});

test('wrangler takes it, and it serves what is sold', async () => {
  const { stdout } = await started(
    process.execPath,
    [join(root, 'node_modules/wrangler/bin/wrangler.js'), 'deploy', '--dry-run', '--outdir', 'upload'],
    project,
    { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  );
  assert.match(stdout, /env\.SKILLS \(Skills\)/);

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
    durableObjects: { SKILLS: { className: 'Skills', useSQLite: true } },
    kvNamespaces: ['CONFIG'],
    bindings: {
      MARKET_SECRET: 'ab'.repeat(32),
      OPERATOR_TOKEN: 'cd'.repeat(32),
      MARKET_URL: 'https://skills.example.net',
      NETWORK: 'eip155:84532',
      TEST_NETWORKS_ONLY: true,
    },
    handleRuntimeStdio: (...streams: Readable[]) => streams.forEach((stream) => stream.resume()),
  } as MiniflareOptions);
  try {
    const { origin } = await mf.ready;
    assert.deepEqual(await (await fetch(`${origin}/api/marketplace/skills`)).json(), { ok: true, skills: [] });
    assert.match(await (await fetch(origin)).text(), /Nothing is sold here yet\./);
  } finally {
    await mf.dispose();
  }
});

test('anywhere else the market says in a sentence that it needs Workers', async () => {
  const main = "import('farebox-market').then(() => console.log('loaded'), (error) => console.log(error.message));";
  const { stdout } = await started(process.execPath, ['-e', main], project);
  assert.match(stdout, /^farebox-market runs on Cloudflare Workers only/);
});
