/**
 * What earlier builds have stored is gone on with by this one: in worlds that stood in the middle of their work, with the clocks of then.
 * In the end buyers, books and chain agree, as in the soak.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

import { beginAt } from '../../demo/beginning.mjs';
import { randomOf } from '../pkg/random.ts';
import type { Department } from './department.ts';
import { dump, load, type Recorded, readRecorded, recordings, WORLDS } from './recorded.ts';

/** How long after the deaths the Workers are started again. */
const LATER_MS = 5_000;

const clock = Date.now;
const WAIT_MS = 300_000;

/** Starts a world again where it stood; this process is at the time of then. */
async function resume({ world, at, seed, firstPort, chain, kv, memories, objects }: Recorded, folder: string): Promise<Department> {
  load(folder, objects);
  const aheadMs = at + LATER_MS - clock();
  Date.now = () => clock() + aheadMs;
  beginAt({ seed, firstPort, folder, chain, kv: { ...kv }, aheadMs });
  const department = await WORLDS[world].resume(memories as never);
  beginAt();
  return department;
}

/** Numbers of schema changes that have run, by class of the objects. */
function schemasOf(objects: Recorded['objects']): Readonly<Record<string, string>> {
  const found = Object.entries(objects).flatMap(([name, statements]) =>
    statements.flatMap((statement) => {
      const number = SCHEMA.exec(statement)?.[2];
      return number === undefined ? [] : [[/farebox(?:-[a-z]+)?-([A-Z][a-z]+)\//.exec(name)?.[1] ?? name, number] as const];
    }),
  );
  return Object.fromEntries(found.sort());
}

/** The same as docs/deploy.md tells it, of the classes that a world has. */
function documented(world: Recorded['world']): Readonly<Record<string, string>> {
  const lines = readFileSync('docs/deploy.md', 'utf8').matchAll(/^\| `([A-Z][a-z]+)` \|[^|]*\| (\d+) \|/gm);
  const told = new Map([...lines].map(([, name = '', number = '']) => [name, number]));
  return Object.fromEntries(CLASSES[world].map((name) => [name, told.get(name)]).sort()) as Record<string, string>;
}

const CLASSES = { gate: ['Ledger'], skills: ['Ledger', 'Skills', 'Treasury'], exchange: ['Ledger', 'Exchange', 'Treasury'] } as const;
const SCHEMA = /^(INSERT INTO "meta" VALUES\('schema',)'?(\d+)'?\)/;

/** A schema that no build knows, whichever one the recording is of. */
const laterSchema = (statement: string): string => statement.replace(SCHEMA, (_, start, number) => `${start}'${Number(number) + 100}')`);

/** All statements of objects that tell their schema, without the platform's alarms. */
function rowsOf(folder: string): Recorded['objects'] {
  const objects = Object.entries(dump(folder)).filter(([, statements]) => statements.some((statement) => SCHEMA.test(statement)));
  return Object.fromEntries(objects.map(([name, statements]) => [name, statements.filter((statement) => !statement.includes('_cf_'))]));
}

for (const file of recordings()) {
  describe(file, { timeout: WAIT_MS }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'farebox-stored-'));
    let department: Department | undefined;
    after(async () => {
      await department?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    test('all is ended by this build, and nothing paid or delivered twice', { timeout: WAIT_MS }, async (t) => {
      department = await resume(readRecorded(file), folder);
      await department.drain();
      t.diagnostic(await department.judge());
      await department.stop();
      assert.deepEqual(schemasOf(dump(folder)), documented(readRecorded(file).world), 'docs/deploy.md tells the versions');
    });

    //
    test('what a later build has stored stays as it is', { timeout: WAIT_MS }, async () => {
      const recorded = readRecorded(file);
      const later = mkdtempSync(join(tmpdir(), 'farebox-later-'));
      const objects = Object.fromEntries(Object.entries(recorded.objects).map(([name, statements]) => [name, statements.map(laterSchema)]));
      department = await resume({ ...recorded, objects }, later);
      const [stored, block] = [rowsOf(later), await department.chain.publicClient.getBlockNumber()];
      const { work } = department;
      await Promise.all([1, 2, 3, 4].map((number) => work.call(department, number, randomOf(number))));
      assert.equal(await department.chain.publicClient.getBlockNumber(), block, 'nobody was charged');
      await department.stop();
      assert.deepEqual(rowsOf(later), stored);
      rmSync(later, { recursive: true, force: true });
    });
  });
}
