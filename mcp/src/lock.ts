/** The lock of a folder: one process at a time keeps prepared requests in it, and one that was killed gives way. */
import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Takes the folder whose lock this is; false if a living process of this machine, or another machine, has it. */
export function take(lock: string): boolean {
  const mine = ownerOf(process.pid);
  const own = `${lock}.${process.pid}`;
  writeFileSync(own, mine, { mode: 0o600 });
  try {
    for (const _ of [1, 2]) {
      try {
        // With all that it says: one that is cut has no owner.
        linkSync(own, lock);
        process.on('exit', () => {
          if (read(lock) === mine) rmSync(lock, { force: true });
        });
        return true;
      } catch {
        const left = read(lock);
        if (isAlive(left) || !isRemoved(lock, left)) return false;
      }
    }
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes the lock of a process that is gone; false if another one has taken it since. */
function isRemoved(lock: string, left: string): boolean {
  const aside = `${lock}.${process.pid}.left`;
  try {
    renameSync(lock, aside);
  } catch {
    return true;
  }
  const isLeft = read(aside) === left;
  if (!isLeft) {
    try {
      linkSync(aside, lock);
    } catch {
      // A third one has it.
    }
  }
  rmSync(aside, { force: true });
  return isLeft;
}

/** A process: machine, number, and when it began, because numbers are used again. */
function ownerOf(pid: number): string {
  return JSON.stringify([hostname(), pid, beganAt(pid)]);
}

function isAlive(owner: string): boolean {
  const [host, pid, began] = parsed(owner);
  // Not seen from here.
  if (typeof host === 'string' && host !== hostname()) return true;
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0 || !isRunning(pid)) return false;
  return beganAt(pid) === began;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process began, in the words of the system; empty if it does not say. */
function beganAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before may hold anything. Spec: proc(5), field 22.
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    if (process.platform === 'linux' || process.platform === 'win32') return '';
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 }).trim();
  } catch {
    return '';
  }
}

function read(lock: string): string {
  try {
    return readFileSync(lock, 'utf8');
  } catch {
    return '';
  }
}

function parsed(owner: string): unknown[] {
  try {
    const value: unknown = JSON.parse(owner);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
