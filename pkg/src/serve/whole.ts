/** Files that are there whole or not at all, also after a loss of power. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

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
}
