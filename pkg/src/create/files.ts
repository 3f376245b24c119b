/** Writes a project beside what is there: no file is overwritten, and no link is followed to one. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Usage } from '../cli/words.js';
import type { ProjectFile } from './project.js';

/** The files that were written, and those that were there. */
export type Outcome = { readonly written: readonly string[]; readonly kept: readonly string[] };

/** Writes each file that is not there. */
export function writeProject(folder: string, files: readonly ProjectFile[]): Outcome {
  const other = ['wrangler.jsonc', 'wrangler.json'].find((name) => existsSync(join(folder, name)));
  if (other !== undefined)
    throw new Usage(`${other} is there, and describes another Worker: name a folder of its own for this one, such as gate`);
  const outcome = { written: [] as string[], kept: [] as string[] };
  for (const { path, text, mode } of files) {
    const isNew = tried(path, () => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      return writeNew(join(folder, path), text, mode ?? 0o666);
    });
    (isNew ? outcome.written : outcome.kept).push(path);
  }
  return outcome;
}

/** Whether a `.gitignore` that was there lets the secrets be committed. */
export function showsSecrets(folder: string): boolean {
  const lines = readFileSync(join(folder, '.gitignore'), 'utf8').split(/\r?\n/);
  return !lines.some((line) => /^\/?\.dev\.vars\*?$/.test(line.trim()));
}

/** A refusal of the system, in words. */
function tried<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Usage(`${path} cannot be written there: ${(error as NodeJS.ErrnoException).code ?? 'the system refuses'}`);
  }
}

function writeNew(place: string, text: string, mode: number): boolean {
  try {
    writeFileSync(place, text, { mode, flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
