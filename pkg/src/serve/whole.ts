/** Files that are there whole or not at all, also after a loss of power. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes a file that its owner alone reads. Only one process may do so at a time. */
export function writeWhole(file: string, text: string): void {
  const draft = `${file}.new`;
  // A link would have another file overwritten.
  rmSync(draft, { recursive: true, force: true });
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, file);
  syncNames(dirname(file));
}

/** Puts the names of a folder on the disk: without them a loss of power takes the new file. Not every system can. */
function syncNames(folder: string): void {
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // The file itself is on the disk.
  }
}
