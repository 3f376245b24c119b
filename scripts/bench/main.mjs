// `npm run bench`: the built gate beside `@x402/hono`, `x402-hono`, `mppx`, a plain proxy and a Worker with three calls of
// an object, its objects beside one that only inserts a row, the built treasury beside `@x402/fetch`, and the built market, all in the same workerd.
// `paint` visits its page beside that of `@x402/paywall`, in one Chromium.
//
//   --rounds N    rounds per scenario [20]
//   --quick       five rounds
//   --only a,b    scenarios by name; `paint` runs only so
//   --build dir   folder of the built gate [build]
//   --ledger disk keep the gate's rows on the disk [memory]
//   --json        the lines as JSON
//   --report      writes docs/bench: tables, charts and JSON
//   --note TEXT   what else the machine does, for the report
//   --costs       writes tests/costs.json from `writes` and `ledger-size`; `node scripts/costs.mjs` then writes docs/deploy.md
//
// A ratio is the median of the quotients of each round, with their range; a figure is a median with its quartiles. Processor time is what the scheduler has
// accounted to the Worker's process. The rows are in memory because the flush of a local disk, paid by the same process,
// is no part of a deployed object; `--ledger disk` shows it. A missed goal is reported and is no failure; an unexpected answer is one.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { RECORD } from '../costs.mjs';
import { endAll } from '../processes.mjs';
import { elapsed, root, runMain, StepFailed, step } from '../steps.mjs';
import { startBackend } from './backend.mjs';
import { FORGER, NETWORK } from './payments.mjs';
import { shown, writeReport } from './report.mjs';
import { scenarios } from './scenarios.mjs';
import { startSide } from './sides.mjs';

/** @typedef {import('./scenarios.mjs').Line} Line */

/**
 * @param {Line[]} lines
 * @returns {string}
 */
function table(lines) {
  const rows = [
    ['', 'unit', 'farebox', 'peer', '', 'ratio', '', 'goal', ''],
    ...lines.map(({ scenario, unit, ours, ourSpread, peer, theirs, theirSpread, ratio, goal, met }) => [
      scenario,
      unit,
      shown(ours, ourSpread),
      theirs === undefined ? '' : shown(theirs, theirSpread),
      peer ?? '',
      ratio === undefined ? '' : `${ratio.median.toFixed(2)}×`,
      ratio === undefined ? '' : `(${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`,
      goal,
      met === null ? '' : met ? 'met' : 'MISSED',
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => (NUMBERS.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Keeps what a paid call costs.
 *
 * @param {Line[]} lines
 * @param {string} machine
 */
function recordCosts(lines, machine) {
  const figure = (/** @type {string} */ name) => {
    const line = lines.find(({ scenario }) => scenario === name || scenario.startsWith(`${name}, of `));
    if (line === undefined) throw new StepFailed(`--costs needs the scenarios writes and ledger-size: there is no ${name}`);
    return Math.round(line.ours * 100) / 100;
  };
  const rows = {
    after: figure('writes, after'),
    before: figure('writes, before'),
    stream: figure('writes, stream'),
    response: figure('writes, after, retention of the response'),
    payment: figure('writes, after, retention of the payment'),
  };
  // To the next ten, which a repetition meets.
  const bytesOf = (/** @type {string} */ name) => Math.ceil(figure(name) / 10) * 10;
  const bytes = { open: bytesOf('open row on disk'), settled: bytesOf('settled row on disk') };
  const command = 'npm run bench -- --only writes,ledger-size --costs';
  /** @type {import('../costs.mjs').Measured} */
  const measured = { command, machine, rows, calls: Math.round(figure('writes, after, calls')), bytes };
  writeFileSync(join(root, RECORD), `${JSON.stringify(measured, null, 2)}\n`);
}

/** Columns that are aligned on the right. */
const NUMBERS = new Set([2, 3, 5]);

/**
 * @param {string} name
 * @returns {string}
 */
function version(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      build: { type: 'string', default: 'build' },
      ledger: { type: 'string', default: 'memory' },
      json: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      note: { type: 'string', default: 'nothing' },
      costs: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 5 : 20));
  if (!Number.isInteger(rounds) || rounds < 1) throw new StepFailed('--rounds takes a whole number from 1');
  const { ledger } = values;
  if (ledger !== 'memory' && ledger !== 'disk') throw new StepFailed('--ledger takes memory or disk');
  const only = values.only?.split(',');
  const chosen = scenarios.filter(({ name, named }) => only?.includes(name) ?? !named);
  const unknown = only?.filter((name) => !scenarios.some((scenario) => scenario.name === name)) ?? [];
  if (unknown.length > 0) {
    throw new StepFailed(`no scenario is called ${unknown.join(', ')}; there are ${scenarios.map(({ name }) => name).join(', ')}`);
  }
  // The lines alone belong on the standard output then.
  if (values.json) console.log = console.error;

  const backend = await startBackend({ forger: FORGER, network: NETWORK });
  /** @type {import('./sides.mjs').GateChoice} */
  const choice = { build: values.build, ledger };
  const [gate, hono, mppx, old, proxy, calls, two] = await step('Workers', async () => [
    await startSide('farebox', backend, choice),
    await startSide('@x402/hono', backend, choice),
    await startSide('mppx', backend, choice),
    await startSide('x402-hono', backend, choice),
    await startSide('a plain proxy', backend, choice),
    await startSide('three calls', backend, choice),
    await startSide('two calls', backend, choice),
  ]);
  if (
    gate === undefined ||
    hono === undefined ||
    mppx === undefined ||
    old === undefined ||
    proxy === undefined ||
    calls === undefined ||
    two === undefined
  )
    return;

  /** @type {(Line & {group: string})[]} */
  const lines = [];
  for (const { name, run } of chosen) {
    const stage = { gate, hono, mppx, old, proxy, calls, two, backend, choice, rounds };
    lines.push(...(await step(name, () => run(stage))).map((line) => ({ group: name, ...line })));
  }
  for (const side of [gate, hono, mppx, old, proxy, calls, two]) side.client.close();
  await backend.stop();
  await endAll();

  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${arch}, Node ${process.versions.node}, workerd ${version('workerd')}`;
  const peers = `@x402/hono ${version('@x402/hono')}, x402-hono ${version('x402-hono')}, mppx ${version('mppx')}`;
  if (values.costs) recordCosts(lines, machine);
  if (values.report) {
    const commit = execFileSync('git', ['rev-parse', '--short=8', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
    const most = values.rounds === undefined ? (values.quick ? ['--quick'] : []) : ['--rounds', values.rounds];
    const words = [...most, ...(values.only === undefined ? [] : ['--only', values.only]), '--report'];
    const [date = ''] = new Date().toISOString().split('T');
    const command = `npm run bench -- ${words.join(' ')}`;
    writeReport({ date, commit, command, machine, peers, ledger, rounds, note: values.note, lines });
  }
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine, peers, ledger, rounds, lines }, null, 2)}\n`);
  } else {
    console.log(
      `\n${machine}\n${peers}; rows ${ledger === 'disk' ? 'on disk' : 'in memory'}; ${rounds} rounds, medians (quartiles) and medians of the rounds' quotients (least to greatest)\n\n${table(lines)}\n\n${elapsed()}`,
    );
  }
});
