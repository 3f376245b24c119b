/** The folder of a gate on this machine: its rows, its secrets, and the mark of the one process that serves it. */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { Later, Usage } from '../cli/words.js';
import { endLeft, FILES, marksOf, type Runs, runsIn } from './left.js';
import { goesOn, markIn, ownerOf } from './marks.js';
import { secretsIn } from './secrets.js';

/** A folder that this process serves alone. */
export type State = {
  readonly folder: string;
  /** The file that says that it is served. */
  readonly mark: string;
  /** Folder of the rows. */
  readonly rows: string;
  /** Secrets that the gate needs, by their name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Where they are kept; only its owner can read it. */
  readonly secretsFile: string;
  /** Folder of what the runtime is started with. */
  readonly files: string;
  /** Notes the runtime that reads the rows: it outlives this process if that is killed. */
  runs(pid: number, words: string, sockets: string): void;
  /** Lets another process serve it. */
  leave(): void;
};

/** The file that marks a folder as a copy. */
export const NOTE = 'backup.json';

/** The file that keeps the folder out of a repository. */
export const HIDES = '.gitignore';

/** Takes a folder; two processes with one ledger could deliver twice. */
export function takeState(folder: string): State {
  const place = resolve(folder);
  const [rows, files, secretsFile] = [join(place, 'rows'), join(place, FILES), join(place, 'secrets.json')];
  if (existsSync(join(place, NOTE)))
    throw new Usage(
      `${place} is a copy of a gate, or was put back in part: use \`farebox restore\` with an empty folder, so that nothing is sold twice`,
    );
  // What is written anew at each start would be written over the files of another program.
  if (!existsSync(secretsFile) && lstatSync(files, { throwIfNoEntry: false }) !== undefined)
    throw new Usage(`${place} has ${FILES} and no secrets.json: name another --state, or put that back`);
  mkdirSync(rows, { recursive: true, mode: 0o700 });
  if (!existsSync(secretsFile) && readdirSync(rows).length > 0)
    throw new Usage(`${place} has rows and no secrets.json, without which they are lost: put that back`);
  hideFromGit(place);
  // What a killed process has left behind its mark is ended; one that goes on keeps the folder.
  const mark = markIn(marksOf(place), 'served-by', servesAlready(marksOf(place)), endLeft);
  return {
    folder: place,
    mark,
    rows,
    files,
    secretsFile,
    secrets: secretsOf(secretsFile, mark),
    runs: (pid, words, sockets) => {
      // At once: a mark that was cut would not tell who reads the rows.
      writeFileSync(`${mark}.new`, JSON.stringify({ pid, words, sockets } satisfies Runs), { mode: 0o600 });
      renameSync(`${mark}.new`, mark);
    },
    leave: () => rmSync(mark, { force: true }),
  };
}

/** The secrets of a folder that was marked: without them it is not served. */
function secretsOf(file: string, mark: string): State['secrets'] {
  try {
    return secretsIn(file);
  } catch (error) {
    rmSync(mark, { force: true });
    throw error;
  }
}

/** Keeps the secrets out of the repository in which the folder may stand, but hides no repository itself. */
function hideFromGit(folder: string): void {
  if (lstatSync(folder).isSymbolicLink() || existsSync(join(folder, '.git'))) return;
  try {
    writeFileSync(join(folder, HIDES), '*\n', { flag: 'wx' });
  } catch {
    // It is there, or nothing can be written beside the rows.
  }
}

const servesAlready = (folder: string) => (pid: number, mark: string) =>
  new Later(`process ${pid} serves ${folder} already; if it is another program, remove ${mark}`);

/** The runtime of a folder which a process serves, as its mark says; `undefined` if none does. */
export function servedBy(folder: string): Runs | undefined {
  // A gate that never sold has no rows.
  if (!existsSync(join(folder, 'rows'))) return undefined;
  const marks = marksOf(folder);
  for (const name of readdirSync(marks)) {
    const owner = ownerOf(name, 'served-by');
    if (owner === undefined || !goesOn(owner)) continue;
    const found = runsIn(join(marks, name));
    if (found === undefined) throw new Later(`process ${owner.pid} begins to serve ${folder}: call again in a moment`);
    return found;
  }
  return undefined;
}
