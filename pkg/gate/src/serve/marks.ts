/** Marks of processes in a folder: who serves it, and who copies it. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Later } from 'farebox/command';
import { lives } from './left.js';

/** What one process at a time does in a folder. */
export type Kind = 'served-by' | 'copied-by';

/**
 * The process of a mark, when that and its system began, and the namespace in which it has its number, where the system tells: the number is
 * another's later, and in another container.
 */
export type Owner = { readonly pid: number; readonly boot?: string; readonly start?: string; readonly space?: string };

/** How often a process that serves touches its mark, and how long one stands for it where nothing else tells. */
export const TOUCH_MS = 5_000;
export const FRESH_MS = 30_000;

/** Reads the name of a mark. */
export function ownerOf(name: string, kind: Kind): Owner | undefined {
  const [, of, pid, boot, start, space] = /^([a-z-]+)-(\d+)-[0-9a-f]+(?:-([0-9a-f]{32})-(\d+)(?:-(\d+))?)?$/.exec(name) ?? [];
  if (of !== kind) return undefined;
  const born = boot === undefined || start === undefined ? {} : { boot, start };
  return { pid: Number(pid), ...born, ...(space === undefined ? {} : { space }) };
}

/** Whether the process of a mark goes on. Where nobody tells when it began, whoever has its number may be it. */
export function goesOn(owner: Owner, mark: string): boolean {
  if (isOfAnotherBoot(owner)) return false;
  if (isElsewhere(owner)) return Date.now() - (statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? 0) < FRESH_MS;
  if (!lives(owner.pid)) return false;
  const now = owner.start === undefined ? undefined : startOf(owner.pid);
  return now === undefined || now === owner.start;
}

/** Whether all processes of its time are gone, with those that they have left. */
export function isOfAnotherBoot({ boot }: Owner): boolean {
  const now = bootOf();
  return boot !== undefined && now !== undefined && boot !== now;
}

/** Whether a mark is of another container, or of the machine around this one: whoever has its number here is another process. */
export function isElsewhere(owner: Owner): boolean {
  const now = spaceOf();
  return !isOfAnotherBoot(owner) && owner.space !== undefined && now !== undefined && owner.space !== now;
}

/**
 * Marks a folder for this process, unless another one goes on that has marked it so: `busy` says it. Of two that come at once both may
 * leave; never do both stay. `left` hears of each mark whose process is over, before that goes.
 */
export function markIn(folder: string, kind: Kind, busy: (owner: Owner, mark: string) => Later, left: (mark: string) => void): string {
  const [boot, start, space] = [bootOf(), startOf(process.pid), spaceOf()];
  const born = boot === undefined || start === undefined ? '' : `-${boot}-${start}${space === undefined ? '' : `-${space}`}`;
  const mine = `${kind}-${process.pid}-${randomBytes(4).toString('hex')}${born}`;
  writeFileSync(join(folder, mine), '', { mode: 0o600, flag: 'wx' });
  try {
    for (const name of readdirSync(folder)) {
      const owner = name === mine ? undefined : ownerOf(name, kind);
      if (owner === undefined) continue;
      const mark = join(folder, name);
      if (goesOn(owner, mark)) throw busy(owner, mark);
      // What it says may have been lost with the power, and its numbers are others' in another container.
      if (!isOfAnotherBoot(owner) && !isElsewhere(owner)) left(mark);
      rmSync(mark, { force: true });
    }
  } catch (error) {
    rmSync(join(folder, mine), { force: true });
    throw error;
  }
  return join(folder, mine);
}

/** This start of the system; `undefined` where it does not tell. */
function bootOf(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().replaceAll('-', '');
    return /^[0-9a-f]{32}$/.test(boot) ? boot : undefined;
  } catch {
    return undefined;
  }
}

/** The namespace of this process's number; `undefined` where the system does not tell. Spec: namespaces(7). */
function spaceOf(): string | undefined {
  try {
    return /^pid:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1];
  } catch {
    return undefined;
  }
}

/** When a process began, in ticks since the start of the system; `undefined` where it does not tell. Spec: proc_pid_stat(5), field 22. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Its name is in brackets, and may contain any; the third field comes next.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return start !== undefined && /^\d+$/.test(start) ? start : undefined;
  } catch {
    return undefined;
  }
}
