// `farebox/agent` as a page loads it: one script that touches nothing of Node. It runs in Node here, which stands in for a page.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import * as esbuild from 'esbuild';

import { base64, terms } from './shop.ts';
import { temporaryFolder } from './tarball.ts';

const folder = temporaryFolder();
after(() => folder.remove());

const PROGRAM = `
  import { AgentHarness, createAgentPayClient, createLocalAgentClient } from './pkg/dist/agent/index.js';
  const fetch = async () => new Response('{}', { status: 402, headers: { 'payment-required': ${JSON.stringify(base64(JSON.stringify(terms())))} } });
  const options = { controlPlaneBaseUrl: 'https://plane.example', auth: { type: 'runtimeToken', runtimeToken: 't' }, organization: 'acme', agent: 'buyer', fetch };
  const told = async (client) => (await new AgentHarness({ client }).preparePaidRequest({ url: 'https://shop.example/report' })).costSummary;
  export const costs = await Promise.all([told(createAgentPayClient(options)), told(createLocalAgentClient({ signer: '0x${'11'.repeat(32)}', fetch }))]);
`;

test('bundled for a page, both back ends tell a cost', async () => {
  const { outputFiles, warnings } = await esbuild.build({
    stdin: { contents: PROGRAM, resolveDir: process.cwd() },
    bundle: true,
    write: false,
    format: 'esm',
    minify: true,
    platform: 'browser',
    target: 'es2022',
  });
  const [{ text = '' } = {}] = outputFiles;
  assert.deepEqual([warnings, /node:/.test(text)], [[], false]);
  const file = join(folder.path, 'page.mjs');
  writeFileSync(file, text);
  const { costs } = (await import(pathToFileURL(file).href)) as { costs: string[] };
  const cost = 'Costs 0.010000 USDC on Base Sepolia (exact).';
  assert.deepEqual(costs, [cost, cost]);
});
