/** What a mark says of a runtime. Its folder may have come with the files of somebody else, so a mark is believed only as this program writes it. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';

import { Later, Usage } from 'farebox/command';

/** A runtime, what its command line has, and the folder of its sockets. */
export type Runs = { readonly pid: number; readonly words: string; readonly sockets: string };

/** The folder, in that of a gate, of what the runtime is started with. */
export const FILES = 'runtime';
/** The file there that its command line names. */
export const CONFIG = 'config.capnp';
/** How the folder of its sockets is called, before six characters of chance. */
export const SOCKETS = 'farebox-';

/** The sockets in their folder: two of the runtime, and one of the program in front of it. */
export const socketsIn = (folder: string) => ({
  requests: join(folder, 'requests'),
  sweep: join(folder, 'sweep'),
  front: join(folder, 'front'),
});

/** Where the marks of a folder stand: beside its rows. `rows` may be a link to another disk, which two folders can have. */
export const marksOf = (folder: string): string => dirname(realpathSync(join(folder, 'rows')));

/** Reads a mark; `undefined` if it names no runtime yet. */
export function runsIn(mark: string): Runs | undefined {
  const text = readFileSync(mark, 'utf8');
  if (text === '') return undefined;
  const { pid, words, sockets } = partsOf(text);
  if (isPid(pid) && isConfig(words) && isFolderOfSockets(sockets)) return { pid, words, sockets };
  throw new Usage(`${mark} cannot be read: end the workerd that may still read the rows, remove it, then call again`);
}

function partsOf(text: string): { readonly [part in keyof Runs]?: unknown } {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    return {};
  }
}

const isPid = (pid: unknown): pid is number => Number.isSafeInteger(pid) && Number(pid) > 0;

/** Whether it is the configuration of some gate's runtime: other programs have no such word. */
const isConfig = (words: unknown): words is string =>
  typeof words === 'string' && isAbsolute(words) && words === join(folderOf(words), FILES, CONFIG);

/** The temporary folder may have been another one then. */
const isFolderOfSockets = (sockets: unknown): sockets is string =>
  typeof sockets === 'string' && isAbsolute(sockets) && new RegExp(`^${SOCKETS}\\w{6}$`).test(basename(sockets));

const folderOf = (words: string): string => dirname(dirname(words));

/** Whether the runtime is there and reads the rows beside these marks. Another program may have its number now. */
export function isRunning({ pid, words }: Runs, marks: string): boolean {
  if (!lives(pid) || !commandOf(pid).includes(` ${words} `)) return false;
  const folder = folderOf(words);
  if (existsSync(join(folder, 'rows')) && marksOf(folder) === marks) return true;
  // Its folder was moved, or it is another gate's.
  throw new Later(`process ${pid} may still read the rows: end it, then call again`);
}

/** Ends the runtime that a killed process has left with the rows, and waits until it is gone. */
export function endLeft(mark: string): void {
  const left = runsIn(mark);
  if (left === undefined) return;
  if (isRunning(left, dirname(mark))) {
    process.kill(left.pid, 'SIGKILL');
    for (const until = Date.now() + END_MS; lives(left.pid) && Date.now() < until; ) waits();
    // One that waits for its disk cannot end, and would write beside the next one.
    if (lives(left.pid)) throw new Later(`process ${left.pid} does not end, and may still write rows: call again once it has`);
  }
  removeSockets(left.sockets);
}

const END_MS = 5_000;

/** Waits a moment, in which nothing else is done. */
export const waits = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);

/** Whether a folder is there and ours. Whoever tidies up may have taken it, and another user may have made it again. */
export function isOwn(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found?.isDirectory() === true && (process.getuid === undefined || found.uid === process.getuid());
}

/** Removes sockets and their folder, and nothing else that may be there. */
export function removeSockets(folder: string): void {
  if (!isOwn(folder)) return;
  try {
    for (const path of Object.values(socketsIn(folder)))
      if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path, { force: true });
    rmdirSync(folder);
  } catch {
    // It is in nobody's way.
  }
}

/** The command line of a process, each word between spaces: from Linux itself, because small images have no `ps`. */
function commandOf(pid: number): string {
  try {
    return ` ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')} `;
  } catch {
    const { stdout } = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
    if (typeof stdout !== 'string') throw new Later(`process ${pid} may still read the rows: end it, then call again`);
    return ` ${stdout.trim()} `;
  }
}

/** Whether another process has this number. */
export function lives(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return !hasEnded(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Whether a process is over, and has its number only until its parent takes note: a container's first process may not. All of its threads have to
 * be: one that is left may still write rows.
 */
function hasEnded(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      // Its name is in brackets, and may contain any.
      return /^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1));
    });
  } catch {
    return false;
  }
}
