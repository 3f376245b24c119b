// The story of a session as a newcomer sees it: it holds, docs/sessions.md shows it, and its world ends with its standard input.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { root } from '../../scripts/steps.mjs';

const env = { ...process.env, FAREBOX_BUILD: process.env.FAREBOX_BUILD ?? 'build' };

test('docs/sessions.md shows what the demo prints, and all of it holds', { timeout: 300_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/demo.mjs', 'sessions'], { cwd: root, env });
  const document = readFileSync(`${root}/docs/sessions.md`, 'utf8');
  const shown = /```text\n(A request costs [\s\S]*?)\n```/.exec(document)?.[1] ?? 'no output in docs/sessions.md';
  const printed = stdout.slice(stdout.indexOf('A request costs '), stdout.indexOf('all checks passed')).trimEnd();
  assert.equal(shown, printed);
});

test('its world is one line of JSON, and ends with its standard input', { timeout: 120_000 }, async () => {
  const world = spawn(process.execPath, ['scripts/world.mjs', 'sessions'], { cwd: root, env, stdio: ['pipe', 'pipe', 'ignore'] });
  let text = '';
  for await (const piece of world.stdout.setEncoding('utf8')) {
    text += piece;
    if (text.includes('\n')) break;
  }
  const line = JSON.parse(text);
  assert.equal((await fetch(line.url)).status, 402);
  world.stdin.end();
  const [code] = await once(world, 'exit');
  assert.equal(code, 0);
  await assert.rejects(fetch(line.url), /fetch failed/);
});
