// The story of a session as a newcomer sees it: it holds, and docs/sessions.md shows it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
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
