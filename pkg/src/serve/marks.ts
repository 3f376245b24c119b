/** Marks of processes in a folder: who serves it, and who copies it. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Later } from '../cli/words.js';
import { lives } from './left.js';

/** What one process at a time does in a folder. */
export type Kind = 'served-by' | 'copied-by';

/** The process of a mark, and when that and its system began, where the system tells: its number is another's later. */
export type Owner = { readonly pid: number; readonly boot?: string; readonly start?: string };

/** Reads the name of a mark. */
export function ownerOf(name: string, kind: Kind): Owner | undefined {
  const [, of, pid, boot, start] = /^([a-z-]+)-(\d+)-[0-9a-f]+(?:-([0-9a-f]{32})-(\d+))?$/.exec(name) ?? [];
  if (of !== kind) return undefined;
  return { pid: Number(pid), ...(boot === undefined || start === undefined ? {} : { boot, start }) };
}

/** Whether the process of a mark goes on. Where nobody tells when it began, whoever has its number may be it. */
export function goesOn(owner: Owner): boolean {
  if (isOfAnotherBoot(owner) || !lives(owner.pid)) return false;
  const now = owner.start === undefined ? undefined : startOf(owner.pid);
  return now === undefined || now === owner.start;
}

/** Whether all processes of its time are gone, with those that they have left. */
export function isOfAnotherBoot({ boot }: Owner): boolean {
  const now = bootOf();
  return boot !== undefined && now !== undefined && boot !== now;
}

/**
 * Marks a folder for this process, unless another one goes on that has marked it so: `busy` says it. Of two that come at once both may
 * leave; never do both stay. `left` hears of each mark whose process is over, before that goes.
 */
export function markIn(folder: string, kind: Kind, busy: (pid: number, mark: string) => Later, left: (mark: string) => void): string {
  const [boot, start] = [bootOf(), startOf(process.pid)];
  const born = boot === undefined || start === undefined ? '' : `-${boot}-${start}`;
  const mine = `${kind}-${process.pid}-${randomBytes(4).toString('hex')}${born}`;
  writeFileSync(join(folder, mine), '', { mode: 0o600, flag: 'wx' });
  try {
    for (const name of readdirSync(folder)) {
      const owner = name === mine ? undefined : ownerOf(name, kind);
      if (owner === undefined) continue;
      const mark = join(folder, name);
      if (goesOn(owner)) throw busy(owner.pid, mark);
      // What it says may have been lost with the power.
      if (!isOfAnotherBoot(owner)) left(mark);
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
