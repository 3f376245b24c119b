/** A world as it stood when all its Workers died at once: what was stored, the chain, and what its buyers know. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Chain } from '../../demo/chain.mjs';
import type { Department } from './department.ts';
import { Exchange } from './exchange.ts';
import { Shop } from './shop.ts';
import { Skills } from './skills.ts';

export interface Recorded {
  readonly world: WorldName;
  /** The commit whose Workers stored it. */
  readonly commit: string;
  /** The time of its clocks, milliseconds. */
  readonly at: number;
  readonly seed: string;
  readonly firstPort: number;
  readonly chain: string;
  readonly kv: Readonly<Record<string, string>>;
  readonly memories: unknown;
  /** The statements that make each object's database, by its file below the folder of the Workers. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
}

export type WorldName = keyof typeof WORLDS;

/** Ports that systems give to nobody by themselves. */
export const WORLDS = {
  gate: { firstPort: 21_800, start: Shop.start, resume: Shop.resume },
  skills: { firstPort: 21_830, start: Skills.start, resume: Skills.resume },
  exchange: { firstPort: 21_860, start: Exchange.start, resume: Exchange.resume },
} as const satisfies Record<
  string,
  { readonly firstPort: number; readonly start: () => Promise<Department>; readonly resume: (memories: never) => Promise<Department> }
>;

const FOLDER = 'tests/vectors/stored';

/** What is recorded, by commit and world. */
export const recordings = (): readonly string[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(FOLDER, name));

export const fileOf = (commit: string, world: WorldName): string => join(FOLDER, `${commit}-${world}.json`);

export const readRecorded = (file: string): Recorded => JSON.parse(readFileSync(file, 'utf8')) as Recorded;

/** The statements of all databases below a folder; nobody has them open. */
export function dump(folder: string): Recorded['objects'] {
  return JSON.parse(execFileSync('python3', ['-c', DUMP, folder], { encoding: 'utf8', maxBuffer: 1 << 28 })) as Recorded['objects'];
}

/** Makes the databases below a folder. Alarms ring at once, and each object sets its own anew: theirs were by the clock of another machine. */
export function load(folder: string, objects: Recorded['objects']): void {
  execFileSync('python3', ['-c', LOAD, folder], { input: JSON.stringify(objects) });
}

/** The state of a chain, without what it was at earlier blocks. */
export async function stateOf({ rpc }: Chain): Promise<string> {
  const state = await rpc('anvil_dumpState', [false]);
  assert.equal(typeof state, 'string');
  return state as string;
}

const DUMP = `
import glob, json, os, sqlite3, sys
folder, objects = sys.argv[1], {}
for name in sorted(glob.glob(folder + '/**/*.sqlite', recursive=True)):
    database = sqlite3.connect(name)
    objects[os.path.relpath(name, folder)] = list(database.iterdump())
print(json.dumps(objects))
`;

const LOAD = `
import json, os, sqlite3, sys, time
folder, now = sys.argv[1], time.time_ns()
for name, statements in json.load(sys.stdin).items():
    name = os.path.join(folder, name)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    database = sqlite3.connect(name)
    database.execute('PRAGMA journal_mode = WAL')
    database.executescript('\\n'.join(statements))
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if '_cf_ALARM' in tables:
        database.execute('UPDATE _cf_ALARM SET scheduled_time = ?', (now,))
    if '_cf_METADATA' in tables:
        database.execute('UPDATE _cf_METADATA SET value = ? WHERE key = 1', (now,))
    database.commit()
    database.close()
`;
