/** Writes a project beside what is there: no file is overwritten, and no link is followed to one. */
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Usage } from 'farebox/command';
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
      refuseLink(folder, path);
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      return writeNew(join(folder, path), text, mode ?? 0o666);
    });
    (isNew ? outcome.written : outcome.kept).push(path);
  }
  return outcome;
}

/** Whether a `.gitignore` that was there lets the secrets be committed. */
export function showsSecrets(folder: string): boolean {
  const file = join(folder, '.gitignore');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split(/\r?\n/) : [];
  // Of several rules for one file git takes the last.
  const rule = lines.map((line) => line.trim()).findLast((line) => /^!?\/?\.dev\.vars\*?$/.test(line));
  return rule === undefined || rule.startsWith('!');
}

/** Refuses a folder on the way that is a link: what is written there is written elsewhere. */
function refuseLink(folder: string, path: string): void {
  for (let above = dirname(path); above !== '.'; above = dirname(above))
    if (lstatSync(join(folder, above), { throwIfNoEntry: false })?.isSymbolicLink() === true)
      throw new Usage(`${above} is a link: name a folder of its own for this project`);
}

/** A refusal of the system, in words. */
function tried<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Usage) throw error;
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
