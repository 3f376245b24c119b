/** `farebox dev` of a Worker that is not configured, and of one that is: what a person reads, with a wrangler that only answers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { root } from '../../scripts/steps.mjs';

const COMMAND = pathToFileURL(join(root, 'scripts/local/command.mjs')).href;
const TREASURY = `name = "my-treasury"
main = "worker.js"
compatibility_date = "2026-04-01"

[[durable_objects.bindings]]
name = "TREASURY"
class_name = "Treasury"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Treasury"]

[vars]
ORGANIZATIONS = [{ name = "acme", environment = "test", agents = [{ name = "buyer" }] }]
`;
/** Answers its health as the Worker would, once. */
const WRANGLER = `import { createServer } from 'node:http';
const words = process.argv.slice(2);
const server = createServer((_, response) => {
  response.writeHead(Number(process.env.HEALTH)).end('{}', () => server.close());
  server.closeAllConnections();
});
server.listen(Number(words[words.indexOf('--port') + 1]), '127.0.0.1');
`;

const folder = mkdtempSync(join(tmpdir(), 'farebox-dev-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const wrangler = pathToFileURL(createRequire(join(root, 'package.json')).resolve('wrangler')).href;
for (const [path, text] of Object.entries({
  'wrangler.toml': TREASURY,
  '.dev.vars': 'OPERATOR_TOKEN=token-of-the-operator\n',
  'node_modules/wrangler/package.json': JSON.stringify({ name: 'wrangler', type: 'module', exports: './main.js' }),
  'node_modules/wrangler/main.js': `export { unstable_readConfig } from ${JSON.stringify(wrangler)};\n`,
  'node_modules/wrangler/bin/wrangler.js': WRANGLER,
})) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** What it prints of a Worker whose health has this status. */
async function printed(health: number): Promise<string> {
  const code = `const { dev } = await import(${JSON.stringify(COMMAND)}); await dev([], { begin: 'farebox dev' });`;
  const env = { ...process.env, HEALTH: String(health) };
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise((resolve) => child.once('close', resolve));
  return text;
}

test('a Worker whose secret is missing is told of as such, and gets no line that asks it', async () => {
  const text = await printed(503);
  assert.match(text, /^my-treasury is at http:\/\/127\.0\.0\.1:\d+ and answers 503: it is not configured\./m);
  assert.match(text, /^ {2}secrets {4}in \.dev\.vars beside it/m);
  assert.doesNotMatch(text, /Make a key|\bgate\b/);
});

test('one that is configured is, and each is told when a secret that was changed counts', async () => {
  const text = await printed(404);
  assert.match(text, /^Make a key for the agent buyer/m);
  assert.match(text, /^ {2}curl -X POST -H 'Authorization: Bearer token-of-the-operator' /m);
  assert.doesNotMatch(text, /answers 503/);
  for (const each of [text, await printed(503)])
    assert.match(each, /^A change of wrangler\.toml counts at once, and one of \.dev\.vars once you end this and start it again$/m);
});
