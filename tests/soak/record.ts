/**
 * Records what the Workers that are built store, for `stored.test.ts` of all later builds: a mixed load with faults, until all die at once.
 *
 *   node --import ./scripts/typescript.mjs tests/soak/record.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { beginAt } from '../../demo/beginning.mjs';
import { type Department, labour, upheave } from './department.ts';
import { dump, fileOf, type Recorded, stateOf, WORLDS, type WorldName } from './recorded.ts';

/** Long enough for a few faults, and few enough purchases for a file. */
const [SECS, PAUSE_MS] = [16, 700];

const commit = execFileSync('git', ['rev-parse', '--short=8', 'HEAD'], { encoding: 'utf8' }).trim();
for (const [index, world] of (Object.keys(WORLDS) as WorldName[]).entries()) {
  const { start, firstPort } = WORLDS[world];
  const folder = mkdtempSync(join(tmpdir(), 'farebox-record-'));
  const seed = `${commit} ${world}`;
  beginAt({ seed, firstPort, folder });
  const department: Department = await start();
  beginAt();
  const end = performance.now() + SECS * 1000;
  const labouring = labour(department, end, index, PAUSE_MS);
  console.log(world, await upheave(department, end, index));
  await Promise.all(Object.values(department.workers).map((worker) => worker.kill()));
  await labouring;
  await department.chain.rpc('evm_mine', []);
  const { timestamp } = await department.chain.publicClient.getBlock();
  const recorded: Recorded = {
    world,
    commit,
    at: Number(timestamp) * 1000,
    seed,
    firstPort,
    chain: await stateOf(department.chain),
    kv: Object.fromEntries(department.kv?.values ?? []),
    memories: department.memories(),
    objects: dump(folder),
  };
  await department.stop();
  const file = fileOf(commit, world);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  rmSync(folder, { recursive: true, force: true });
}
