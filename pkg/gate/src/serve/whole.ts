/** Files that are there whole or not at all, also after a loss of power. */
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes a file that its owner alone reads. Only one process may do so at a time. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.new`;
  // A link would have another file overwritten.
  rmSync(draft, { recursive: true, force: true });
  try {
    const handle = openSync(draft, 'wx', 0o600);
    try {
      writeSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncNames(dirname(file));
}

/** Puts all of a folder on the disk, and its own name. It has no links. */
export function syncAll(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) syncNames(path);
    else syncOne(path);
  }
  syncNames(folder);
  syncNames(dirname(folder));
}

/** Puts the names of a folder on the disk: without them a loss of power takes the new file, or brings back one that was removed. Not every system can. */
export function syncNames(folder: string): void {
  try {
    syncOne(folder);
  } catch {
    // The file itself is on the disk.
  }
}

function syncOne(path: string): void {
  // Only there a reader may not.
  const handle = openSync(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
