/** Files of channels that hold nothing: whoever names a channel makes one, and the runtime takes none away. */
import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

import { CHANNELS } from './config.js';

/** The file of an object. */
const OBJECT = /^[0-9a-f]{64}\.sqlite$/;
/** How one is called while it is found out whether the runtime has it open. */
const ASIDE = '.aside';
/** The one page of a database without tables, bytes. */
const PAGE = 4_096;
/** Files that are looked at together: nothing else is done meanwhile, and a backup that begins then reads none of them. */
const TOGETHER = 100;

/** Removes what a runtime that was killed has left of such files. None may run. */
export function sweepLeft(rows: string): void {
  try {
    sweepLeftIn(join(rows, CHANNELS));
  } catch {
    // There is none.
  }
}

function sweepLeftIn(folder: string): void {
  const paths = readdirSync(folder).map((name) => join(folder, name));
  each(paths, (path) => {
    const log = withoutEnd(path, '-wal');
    // Its log may have what the file has not yet.
    if (log === undefined || lstatSync(path).size > 0 || !isVacant(log)) return;
    for (const end of ['', '-shm', '-wal']) rmSync(`${log}${end}`, { force: true });
  });
  // Names are given back once there is room.
  each(paths, (path) => {
    const aside = withoutEnd(path, ASIDE);
    if (aside === undefined) return;
    if (!existsSync(aside)) renameSync(path, aside);
    // The runtime has made it anew since.
    else if (isVacant(path)) rmSync(path);
  });
}

/** Does this with each file. One that cannot be handled stays as it is, and the others do not wait for it. */
function each(paths: Iterable<string>, work: (path: string) => void): void {
  for (const path of paths) {
    try {
      work(path);
    } catch {
      // It is in nobody's way.
    }
  }
}

/** Removes such files while a runtime goes on, but for those that it has open; where the system does not tell, none. */
export async function sweepVacant(rows: string, runtime: () => number | undefined): Promise<void> {
  const folder = join(rows, CHANNELS);
  let some: string[] = [];
  const sweep = (): boolean => {
    const pid = runtime();
    if (pid === undefined || !goesOn(pid)) return false;
    removeUnopened(
      some.filter((path) => !existsSync(`${path}-wal`) && isVacant(path)),
      pid,
    );
    some = [];
    return true;
  };
  for await (const { name } of await opendir(folder)) {
    const path = join(folder, name);
    if (!OBJECT.test(name) || (await sizeOf(path)) > PAGE) continue;
    some.push(path);
    if (some.length === TOGETHER && !sweep()) return;
  }
  sweep();
}

/** Removes those of these files that a process has not open. One that opens such a file from now on makes it anew. */
function removeUnopened(paths: readonly string[], pid: number): void {
  const moved: string[] = [];
  let opened: ReadonlySet<string> | undefined;
  try {
    for (const path of paths) {
      try {
        renameSync(path, path + ASIDE);
      } catch {
        // A full disk may have no room for a longer name: those before it make some.
        break;
      }
      moved.push(path);
    }
    opened = openedBy(pid);
  } finally {
    // Whatever fails: the name of one that is open is given back before anything else is done.
    const over = new Set<string>();
    each(moved, (path) => opened?.has(idOf(path + ASIDE)) === false && isVacant(path + ASIDE) && over.add(path));
    each(moved, (path) => !over.has(path) && !existsSync(path) && renameSync(path + ASIDE, path));
    each(over, (path) => rmSync(path + ASIDE));
  }
}

/** Whether a process runs, as far as the system tells: one that stands still is being copied. Spec: proc_pid_stat(5), field 3. */
function goesOn(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Its name is in brackets, and may contain any.
    return /^ [^TtZX] /.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}

/** The files that a process has open. */
function openedBy(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`;
  return new Set(readdirSync(folder).map((name) => idOf(join(folder, name))));
}

/** What tells a file from another one, whatever it is called. */
function idOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return `${found?.dev}:${found?.ino}`;
}

/** Whether a file is a database without tables, if its log is empty. Spec: SQLite's file format, 1.3 and 1.6. */
function isVacant(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.size > PAGE || hasLog(path)) return false;
  if (found.size === 0) return true;
  const page = readFileSync(path);
  return page.toString('latin1', 0, 16) === 'SQLite format 3\0' && page[100] === 0x0d && page.readUInt16BE(103) === 0;
}

/** Whether a file has a log with something in it, of either kind. */
const hasLog = (path: string): boolean =>
  ['-wal', '-journal'].some((end) => (lstatSync(`${path}${end}`, { throwIfNoEntry: false })?.size ?? 0) > 0);

const withoutEnd = (path: string, end: string): string | undefined => (path.endsWith(end) ? path.slice(0, -end.length) : undefined);

const sizeOf = (path: string): Promise<number> =>
  lstat(path).then(
    ({ size }) => size,
    () => Number.POSITIVE_INFINITY,
  );
