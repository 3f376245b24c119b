/** The folder of a gate on this machine: its rows, its secrets, and the mark of the one process that serves it. */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { Later, Usage } from 'farebox/command';
import { endLeft, FILES, marksOf, type Runs, runsIn } from './left.js';
import { FRESH_MS, goesOn, isElsewhere, markIn, type Owner, ownerOf, TOUCH_MS } from './marks.js';
import { secretsIn } from './secrets.js';
import { GUARDED } from './shown.js';

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
  /** Says by the mark that this process goes on, and throws if another one has taken the folder, as it may while this one stands still. */
  touch(): void;
  /** Fails once another process has taken the folder. */
  readonly taken: Promise<never>;
  /** Lets another process serve it. */
  leave(): void;
};

/** The file that marks a folder as a copy. */
export const NOTE = 'backup.json';

/** The folder in a copy that has all of it: under a name that nobody hands out, whatever the copy is called. */
export const inCopy = (copy: string): string => join(copy, GUARDED);

/** The same of a place that may be that folder itself. */
export const copyIn = (place: string): string => (existsSync(join(inCopy(place), NOTE)) ? inCopy(place) : place);

/** The file that keeps the folder out of a repository. */
export const HIDES = '.gitignore';

/** Takes a folder; two processes with one ledger could deliver twice. */
export function takeState(folder: string): State {
  const place = resolve(folder);
  const [rows, files, secretsFile] = [join(place, 'rows'), join(place, FILES), join(place, 'secrets.json')];
  if (existsSync(join(copyIn(place), NOTE)))
    throw new Usage(
      `${place} is a copy of a gate, or was put back in part: use \`farebox restore\` with an empty folder, so that nothing is sold twice`,
    );
  // What is written anew at each start would be written over the files of another program.
  if (!existsSync(secretsFile) && lstatSync(files, { throwIfNoEntry: false }) !== undefined)
    throw new Usage(`${place} has ${FILES} and no secrets.json: name another --state, or put that back`);
  if (!existsSync(rows) && lstatSync(rows, { throwIfNoEntry: false }) !== undefined)
    throw new Later(`${rows} leads to a folder that is not there: is its disk?`);
  mkdirSync(rows, { recursive: true, mode: 0o700 });
  if (!existsSync(secretsFile) && readdirSync(rows).length > 0)
    throw new Usage(`${place} has rows and no secrets.json, without which they are lost: put that back`);
  hideFromGit(place);
  // What a killed process has left behind its mark is ended; one that goes on keeps the folder.
  const mark = markIn(marksOf(place), 'served-by', servesAlready(marksOf(place)), endLeft);
  const secrets = secretsOf(secretsFile, mark);
  const touch = (): void => touched(mark);
  let touching: NodeJS.Timeout | undefined;
  const taken = new Promise<never>((_, reject) => {
    touching = setInterval(() => {
      try {
        touch();
      } catch (error) {
        reject(error);
      }
    }, TOUCH_MS).unref();
  });
  taken.catch(() => {});
  return {
    folder: place,
    mark,
    rows,
    files,
    secretsFile,
    secrets,
    touch,
    taken,
    runs: (pid, words, sockets) => {
      touch();
      // At once: a mark that was cut would not tell who reads the rows.
      writeFileSync(`${mark}.new`, JSON.stringify({ pid, words, sockets } satisfies Runs), { mode: 0o600 });
      renameSync(`${mark}.new`, mark);
    },
    leave: () => {
      clearInterval(touching);
      rmSync(mark, { force: true });
    },
  };
}

/** Touches a mark that is there. A disk that only refuses that ends no gate. */
function touched(mark: string): void {
  const now = new Date();
  try {
    utimesSync(mark, now, now);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Later(`${mark} is gone: another process may serve the folder`);
  }
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

/** Another container serves the folder, or did: only time tells. */
class Elsewhere extends Later {
  readonly mark: string;
  constructor(message: string, mark: string) {
    super(message);
    this.mark = mark;
  }
}

const servesAlready = (folder: string) => (owner: Owner, mark: string) =>
  isElsewhere(owner)
    ? new Elsewhere(`process ${owner.pid} of another container serves ${folder}, or did half a minute ago: call again in a moment`, mark)
    : new Later(`process ${owner.pid} serves ${folder} already; if it is another program, remove ${mark}`);

/** How long a mark of another container is waited for, and between two looks. */
const WAIT_MS = FRESH_MS + TOUCH_MS;
const LOOK_MS = 1_000;

/** Takes a folder once another container, which may have been killed, has not touched its mark for long enough. Undefined if `ended` comes first. */
export async function waitState(
  folder: string,
  ended: Promise<unknown>,
  waits: () => void,
  patience = WAIT_MS,
): Promise<State | undefined> {
  let isEnded = false;
  void ended.then(() => (isEnded = true));
  const watched = new Map<string, { readonly at: number | undefined; readonly since: number }>();
  for (let until: number | undefined; !isEnded; ) {
    try {
      return takeState(folder);
    } catch (error) {
      if (!(error instanceof Elsewhere) || Date.now() > (until ?? Number.POSITIVE_INFINITY)) throw error;
      if (until === undefined) waits();
      until ??= Date.now() + patience;
      endIfUntouched(error.mark, watched);
    }
    await Promise.race([ended, new Promise((done) => setTimeout(done, LOOK_MS))]);
  }
  return undefined;
}

/** Makes a mark old that nobody has touched for long enough while this process watched: its time may be of a clock that ran ahead. */
function endIfUntouched(mark: string, watched: Map<string, { readonly at: number | undefined; readonly since: number }>): void {
  const [at, now] = [statSync(mark, { throwIfNoEntry: false })?.mtimeMs, performance.now()];
  const before = watched.get(mark);
  if (before === undefined || before.at !== at) watched.set(mark, { at, since: now });
  else if (at !== undefined && now - before.since > FRESH_MS) utimesSync(mark, 0, 0);
}

/** The runtime of a folder which a process serves, as its mark says; `undefined` if none does. */
export function servedBy(folder: string): Runs | undefined {
  // A gate that never sold has no rows.
  if (!existsSync(join(folder, 'rows'))) return undefined;
  const marks = marksOf(folder);
  for (const name of readdirSync(marks)) {
    const owner = ownerOf(name, 'served-by');
    if (owner === undefined) continue;
    const mark = join(marks, name);
    // A mark that is touched no more proves no copy whole.
    if (isElsewhere(owner))
      throw new Later(
        `${mark} is of another container: call again in the one that serves ${folder}; if none does, start it there, or remove that file`,
      );
    if (!goesOn(owner, mark)) continue;
    const found = runsIn(mark);
    if (found === undefined) throw new Later(`process ${owner.pid} begins to serve ${folder}: call again in a moment`);
    return found;
  }
  return undefined;
}
