/** The folder of a gate on this machine: its rows, its secrets, and the mark of the one process that serves it. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { Usage } from '../cli/words.js';

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

/** Takes a folder; two processes with one ledger could deliver twice. */
export function takeState(folder: string): State {
  const place = resolve(folder);
  const rows = join(place, 'rows');
  if (existsSync(join(place, NOTE)))
    throw new Usage(
      `${place} is a copy of a gate, or was put back in part: use \`farebox restore\` with an empty folder, so that nothing is sold twice`,
    );
  mkdirSync(rows, { recursive: true, mode: 0o700 });
  if (!existsSync(join(place, 'secrets.json')) && readdirSync(rows).length > 0)
    throw new Usage(`${place} has rows and no secrets.json, without which they are lost: put that back`);
  const mark = markIn(marksOf(place));
  const secretsFile = join(place, 'secrets.json');
  return {
    folder: place,
    mark,
    rows,
    files: join(place, 'runtime'),
    secretsFile,
    secrets: secretsIn(secretsFile),
    runs: (pid, words, sockets) => {
      // At once: a mark that was cut would not tell who reads the rows.
      writeFileSync(`${mark}.new`, JSON.stringify({ pid, words, sockets } satisfies Runs), { mode: 0o600 });
      renameSync(`${mark}.new`, mark);
    },
    leave: () => rmSync(mark, { force: true }),
  };
}

/** A runtime, what its command line has, and the folder of its sockets. */
type Runs = { readonly pid: number; readonly words: string; readonly sockets: string };

/** Ends the runtime that a killed process has left with the rows, and waits until it is gone. */
function endLeft(mark: string): void {
  const text = readFileSync(mark, 'utf8');
  if (text === '') return;
  const { pid, words, sockets } = runsIn(text, mark);
  // Another program may have the number now.
  if (lives(pid) && commandOf(pid).includes(words)) {
    process.kill(pid, 'SIGKILL');
    for (const until = Date.now() + END_MS; lives(pid) && Date.now() < until; )
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  rmSync(sockets, { recursive: true, force: true });
}

function runsIn(text: string, mark: string): Runs {
  try {
    return JSON.parse(text) as Runs;
  } catch {
    throw new Usage(`${mark} cannot be read: end the workerd that may still read the rows, remove it, then call again`);
  }
}

const END_MS = 5_000;

/** The command line of a process: from Linux itself, because small images have no `ps`. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
    if (typeof stdout !== 'string') throw new Usage(`process ${pid} may still read the rows: end it, then call again`);
    return stdout;
  }
}

/** Where the marks of a folder stand: beside its rows. `rows` may be a link to another disk, which two folders can have. */
const marksOf = (folder: string): string => dirname(realpathSync(join(folder, 'rows')));

/** Marks the folder as served. Of two processes that come at once both may leave; never do both stay. */
function markIn(folder: string): string {
  const mine = `served-by-${process.pid}-${randomBytes(4).toString('hex')}`;
  writeFileSync(join(folder, mine), '', { mode: 0o600, flag: 'wx' });
  try {
    for (const name of readdirSync(folder)) if (name !== mine) endOther(folder, name);
  } catch (error) {
    rmSync(join(folder, mine), { force: true });
    throw error;
  }
  return join(folder, mine);
}

/** The runtime that reads the rows of a folder which a process serves; `undefined` if none does. */
export function servedBy(folder: string): number | undefined {
  // A gate that never sold has no rows.
  if (!existsSync(join(folder, 'rows'))) return undefined;
  const marks = marksOf(folder);
  for (const name of readdirSync(marks)) {
    const pid = ownerOf(name);
    if (pid === undefined || !lives(pid)) continue;
    const text = readFileSync(join(marks, name), 'utf8');
    if (text === '') throw new Usage(`process ${pid} begins to serve ${folder}: call again in a moment`);
    return runsIn(text, join(marks, name)).pid;
  }
  return undefined;
}

/** The process that a mark is of. */
function ownerOf(name: string): number | undefined {
  const pid = /^served-by-(\d+)-[0-9a-f]+$/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Ends what a killed process has left behind its mark; one that lives keeps the folder. */
function endOther(folder: string, name: string): void {
  const pid = ownerOf(name);
  if (pid === undefined) return;
  if (lives(pid)) throw new Usage(`process ${pid} serves ${folder} already; if it is another program, remove ${join(folder, name)}`);
  endLeft(join(folder, name));
  rmSync(join(folder, name), { force: true });
}

function lives(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The secrets of the folder, made at the first start. `LEDGER_SALT` names rows: without it they are lost. */
function secretsIn(file: string): Readonly<Record<string, string>> {
  if (!existsSync(file)) {
    writeFileSync(file, `${JSON.stringify(gateSecrets(), null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
}

/** Random secrets that a gate begins with. */
export function gateSecrets(): Readonly<Record<string, string>> {
  return { GATE_SECRET: hex(32), LEDGER_SALT: hex(16), OPERATOR_TOKEN: hex(16) };
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
