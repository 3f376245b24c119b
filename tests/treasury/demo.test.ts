// The story of a company's wallet as a newcomer sees it: it holds, docs/treasury.md shows it, and it leaves nothing behind.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { type Child, startProcess } from '../../scripts/processes.mjs';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';

const LIMIT_MS = 240_000;
const LAST_LINE = '/audit';

let demo: Child;
let output: string;

before(
  async () => {
    demo = startProcess(process.execPath, ['scripts/demo.mjs', 'treasury'], {
      cwd: root,
      env: { ...process.env, FAREBOX_BUILD: process.env.FAREBOX_BUILD ?? 'build' },
    });
    output = await eventually(
      'the demo has told its story',
      async () => demo.output(),
      (text) => text.includes(LAST_LINE),
    );
  },
  { timeout: LIMIT_MS },
);
after(() => demo?.stop());

test('docs/treasury.md shows what the demo prints, and all of it holds', () => {
  const document = readFileSync(`${root}/docs/treasury.md`, 'utf8');
  const shown = /```text\n(The wallet of [\s\S]*?)\n```/.exec(document)?.[1] ?? 'no output in docs/treasury.md';
  const printed = output.slice(output.indexOf('The wallet of '), output.indexOf('Everything stays up')).trimEnd();
  assert.equal(masked(shown), masked(printed));
  assert.doesNotMatch(printed, /✗/);
});

test('the printed lines do what they say', { timeout: LIMIT_MS }, async () => {
  const lines = output
    .slice(output.indexOf('Rules, agents'))
    .split('\n')
    .filter((line) => line.startsWith('  curl'))
    .map((line) => line.trim());
  const answers = await Promise.all(lines.map(async (line) => (await promisify(execFile)('sh', ['-c', line], { cwd: root })).stdout));
  for (const [index, part] of ['"name":"acme"', '"items":', 'paidRequestId,', '"counted":"2.05"'].entries())
    assert.ok(answers[index]?.includes(part), `${lines[index]}: ${answers[index]}`);
});

test('it ends when it is asked to, and nothing of it goes on', { timeout: LIMIT_MS }, async () => {
  const urls = [...new Set(output.match(/http:\/\/127\.0\.0\.1:\d+/g))];
  process.kill(demo.pid, 'SIGTERM');
  assert.equal(await demo.exited, 128 + 15);
  for (const url of urls) await assert.rejects(fetch(url), /fetch failed/);
});

/** Without what differs each time. */
function masked(text: string): string {
  return text.replace(/(receipt|review) \S*…/g, '$1 …');
}
