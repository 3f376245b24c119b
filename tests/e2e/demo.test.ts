// The demo as a newcomer sees it: its output is the one that the README shows, the lines that it
// prints do what they say, and it leaves nothing behind.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { type Child, startProcess } from '../../scripts/processes.mjs';
import { root } from '../../scripts/steps.mjs';

const LIMIT_MS = 120_000;
/** For programs that must run in a fresh clone, where the package is not built. */
const UNBUILT = { NODE_OPTIONS: `--import ${new URL('../support/unbuilt.mjs', import.meta.url).href}` };
const POLL_MS = 50;
const LAST_LINE = '/_farebox/failures';

let demo: Child;
let output: string;

before(
  async () => {
    demo = startProcess(process.execPath, ['scripts/demo.mjs', '--log', 'pretty'], {
      cwd: root,
      env: { ...process.env, ...UNBUILT, FAREBOX_BUILD: 'build' },
    });
    let code: number | undefined;
    demo.exited.then((ended) => {
      code = ended;
    });
    await until(() => code !== undefined || demo.output().includes(LAST_LINE));
    assert.equal(code, undefined, demo.output());
    output = demo.output();
  },
  { timeout: LIMIT_MS },
);
after(() => demo?.stop());

test('the document shows what the demo prints', () => {
  const document = readFileSync(`${root}/docs/demo.md`, 'utf8');
  const shown = /```text\n(All of this runs [\s\S]*?)\n```/.exec(document)?.[1] ?? 'no output in docs/demo.md';
  const printed = output.slice(output.indexOf('All of this runs '), output.indexOf('Everything stays up')).trimEnd();
  assert.equal(masked(shown), masked(printed));
});

const TRIED: readonly { readonly title: string; readonly expected: readonly RegExp[] }[] = [
  { title: 'A price, and a page that is free', expected: [/^HTTP\/1.1 402 /, /^HTTP\/1.1 200 /] },
  { title: 'Buy with curl', expected: [/^HTTP\/1.1 200 [\s\S]*Rainfall, Tuesday/] },
  { title: "Buy with the package's command line", expected: [/Rainfall, Tuesday/] },
  { title: 'Be refused', expected: [/"code":"WALLET_INSUFFICIENT_FUNDS"/] },
  {
    title: 'Pay in advance',
    expected: [/^HTTP\/1.1 502 [\s\S]*refund/, /^rcpt_\w+: 10000 atomic units returned in 0x\w{64}, now refunded\n$/],
  },
  { title: 'Go around the gate', expected: [/^HTTP\/1.1 403 /] },
  { title: "The operator's side", expected: [/"state":"refunded"/, /"difference":"0"/, /"items":\[/] },
];

for (const { title, expected } of TRIED) {
  test(`the printed lines hold what they say: ${title}`, { timeout: LIMIT_MS }, async () => {
    const answers: string[] = [];
    for (const line of linesUnder(title)) answers.push(await typed(line));
    assert.equal(answers.length, expected.length);
    expected.forEach((pattern, index) => assert.match(answers[index] ?? '', pattern));
  });
}

test('with --log pretty, each of these is a line of the log that people can read', { timeout: LIMIT_MS }, async () => {
  const logged = [
    /^\d\d:\d\d:\d\d {2}402 GET \/report {2}terms {2}/m,
    /^\S+ {2}200 GET \/report {2}served {2}0\.01 USDC {2}rcpt_\w+ {2}\d+ ms \(/m,
    /^\S+ {2}502 GET \/fail\/503 {2}owed {2}/m,
    /^\S+ {2}delivering → refund_due {2}/m,
    /^\S+ {2}refund_due → refunded {2}operator: 0x/m,
  ];
  for (const line of logged) await until(() => line.test(demo.output()));
  assert.doesNotMatch(demo.output(), /^\{/m);
});

test('the demo ends when it is asked to, and nothing of it goes on', { timeout: LIMIT_MS }, async () => {
  const urls = [...new Set(output.match(/http:\/\/127\.0\.0\.1:\d+/g))];
  assert.equal(urls.length, 4);
  process.kill(demo.pid, 'SIGTERM');
  assert.equal(await demo.exited, 128 + 15);
  for (const url of urls) await assert.rejects(fetch(url), /fetch failed/);
});

/** The lines to type below a title. */
function linesUnder(title: string): string[] {
  const lines = output
    .slice(output.indexOf(`\n${title}`))
    .split('\n')
    .slice(2);
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('  ')),
    )
    .map((line) => line.trim());
}

async function typed(line: string): Promise<string> {
  // npm's line says that it builds the package first.
  const env = { ...process.env, ...(line.includes('npm run') ? {} : UNBUILT) };
  return (await promisify(execFile)('sh', ['-c', line], { cwd: root, env })).stdout;
}

/** Without what differs each time. */
function masked(text: string): string {
  return text.replace(/0x[0-9a-f]{8}…[0-9a-f]{6}/g, '0x…').replace(/block \d+/g, 'block N');
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
