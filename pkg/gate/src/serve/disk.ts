/** Room on the disk of the rows: the gate itself knows only the limits of its objects, which are those of another platform. */
import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MB = 1_000_000;
/** What the gate has where nothing is set, or an empty text. */
const DEFAULTS = { each: '10000', shards: '16' };
/** Part of a disk that rows may have: files beside them, and what the system writes, need some too. */
const PART = 0.9;

/** A line if the rows may become larger than their disk, which would be full in the middle of payments; `free` is in bytes. */
export function roomLine(rows: string, vars: Readonly<Record<string, string>>, free = freeIn(rows)): string | undefined {
  const each = Number(vars['LEDGER_MAX_MB'] || DEFAULTS.each);
  const objects = Math.max(...(vars['LEDGER_SHARDS'] || DEFAULTS.shards).split(/[,+]/).map(Number));
  const room = Math.floor(((free + takenIn(join(rows, 'farebox-ledger'))) * PART) / MB);
  if (each * objects <= room) return undefined;
  const right = Math.max(1, Math.floor(room / objects));
  return `rows may take ${each * objects} MB, and their disk has ${room} for them: set LEDGER_MAX_MB to ${right}, so that no payment begins for whose end there is no room`;
}

function freeIn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Bytes of the files of a folder. */
function takenIn(folder: string): number {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
