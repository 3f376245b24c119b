// Loss of power, played: of what a program has written stays what it has put on the disk.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../../scripts/steps.mjs';

/** What a program has put on the disk, step by step: a file by its number, or the names of a folder. */
type Step = { readonly file: number; readonly bytes: string } | { readonly folder: string; readonly names: Names };
/** Each with the number of its file; a folder has none. */
type Names = readonly (readonly [string, number | null])[];

/** The environment in which a program of Node notes that in a file. */
export const noting = (log: string): Record<string, string> => ({
  NODE_OPTIONS: `--import ${join(root, 'tests/pkg/disk.mjs')}`,
  FAREBOX_DISK_LOG: log,
});

export function stepsIn(log: string): readonly Step[] {
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Step);
}

/** Makes of a folder what a loss of power after these steps leaves: names without a file that was put on the disk are of empty ones. */
export function lostPower(steps: readonly Step[], folder: string, to: string): void {
  const files = new Map<number, string>();
  const folders = new Map<string, Names>();
  for (const step of steps) {
    if ('file' in step) files.set(step.file, step.bytes);
    else folders.set(step.folder, step.names);
  }
  const make = (from: string, at: string): void => {
    mkdirSync(at, { recursive: true, mode: 0o700 });
    for (const [name, ino] of folders.get(from) ?? []) {
      if (ino === null) make(join(from, name), join(at, name));
      else writeFileSync(join(at, name), Buffer.from(files.get(ino) ?? '', 'base64'), { mode: 0o600 });
    }
  };
  make(folder, to);
}
