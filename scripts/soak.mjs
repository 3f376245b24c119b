// Lets all systems work under a mixed load, while parts of them are broken and killed and the clock jumps.
//
//   node scripts/soak.mjs [seconds [seed]] [--from COMMIT]
//
// An hour, if it is not said. In the end buyers, books and chain have to agree, nothing may be open, and memory and disk are as told.
// With `--from`, the Workers of an earlier commit begin, and take turns with those that are here: an upgrade or a rollback at each kill.

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { buildWorker } from './build.mjs';
import { buildPayer } from './pkg.mjs';
import { startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, run, runMain, StepFailed } from './steps.mjs';

/** What starts, and what is open at the end, may take as long as this beside what the test has of its own. */
const MARGIN_MS = 1_200_000;
const USAGE = 'usage: node scripts/soak.mjs [seconds [seed]] [--from COMMIT]';
/** The Workers, as `scripts/build.mjs` names them. */
const WORKERS = ['worker', 'treasury', 'market'];

await runMain(async () => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { from: { type: 'string' } } });
  const [secs = '3600', seed = '1'] = positionals;
  for (const number of [secs, seed]) {
    if (!/^[0-9]{1,6}$/.test(number)) throw new StepFailed(`${USAGE}; ${number} is not a number`);
  }
  await setup();
  const earlier = values.from === undefined ? undefined : await buildOf(values.from);
  for (const worker of WORKERS) await buildWorker({ worker });
  await buildPayer();
  const words = ['--import', './scripts/typescript.mjs', '--test', '--test-reporter', 'spec'];
  const child = startProcess(
    process.execPath,
    [...words, '--test-timeout', String(Number(secs) * 1200 + MARGIN_MS), 'tests/soak/soak.test.ts'],
    {
      cwd: root,
      show: true,
      env: {
        ...process.env,
        FAREBOX_SOAK_SECS: secs,
        FAREBOX_SEED: seed,
        ...(earlier === undefined ? {} : { FAREBOX_EARLIER: earlier, FAREBOX_BUILD: earlier }),
      },
    },
  );
  if ((await child.exited) !== 0) throw new StepFailed(`${secs} seconds, seed ${seed}: failed`);
});

/**
 * Builds the Workers of a commit by its own scripts, in a folder below target/ that stays for the next time.
 *
 * @param {string} name
 */
async function buildOf(name) {
  const commit = (await run(name, 'git', ['rev-parse', '--verify', '--short=8', `${name}^{commit}`])).trim();
  const folder = join(root, 'target', 'earlier', commit);
  if (!existsSync(folder)) {
    // A folder of that name is whole: what was broken off stands under the other name.
    const beside = `${folder}.new`;
    rmSync(beside, { recursive: true, force: true });
    mkdirSync(beside, { recursive: true });
    await run(`files of ${commit}`, 'git', ['archive', '--output', `${folder}.tar`, commit]);
    await run('unpack', 'tar', ['-xf', `${folder}.tar`, '-C', beside]);
    rmSync(`${folder}.tar`);
    renameSync(beside, folder);
  }
  for (const worker of WORKERS) {
    await run(`${worker} of ${commit}`, process.execPath, ['scripts/build.mjs', '--worker', worker], { cwd: folder });
  }
  return join(folder, 'build');
}
