// The story of an agent as a newcomer sees it: its output is the one that the documents show.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { root } from '../../scripts/steps.mjs';
import { started } from './tarball.ts';

test('docs/agent.md shows what the story of an agent prints, and everything in it held', { timeout: 120_000 }, async () => {
  const { stdout } = await started(process.execPath, ['scripts/demo.mjs', 'agent'], root, { ...process.env, FAREBOX_BUILD: 'build' });
  const shown =
    /```text\n(The agent's wallet, [\s\S]*?)\n```/.exec(readFileSync(`${root}/docs/agent.md`, 'utf8'))?.[1] ?? 'no output in docs/agent.md';
  const printed = stdout.slice(stdout.indexOf("The agent's wallet"), stdout.indexOf('\nall checks passed')).trimEnd();
  assert.equal(masked(shown), masked(printed));
});

/** Without what differs each time. */
function masked(text: string): string {
  return text
    .replace(/0x[0-9a-f]{8}…[0-9a-f]{6}/g, '0x…')
    .replace(/block \d+/g, 'block N')
    .replace(/127\.0\.0\.1:\d+/g, 'gate');
}
