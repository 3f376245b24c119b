/** The file of `--secret-file`: it is opened before anything is signed, because a secret that cannot be kept is lost. */
import { closeSync, existsSync, fchmodSync, fstatSync, ftruncateSync, openSync, rmSync, writeFileSync } from 'node:fs';

import { Usage } from './words.js';

/** A file for a secret, which its owner alone reads. */
export class SecretFile {
  readonly #file: string;
  readonly #opened: number;
  readonly #isMade: boolean;

  constructor(file: string) {
    this.#file = file;
    this.#isMade = !existsSync(file);
    try {
      this.#opened = openSync(file, 'a', 0o600);
    } catch (error) {
      throw new Usage(`the file of --secret-file cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    }
    if (!fstatSync(this.#opened).isFile()) {
      closeSync(this.#opened);
      throw new Usage('--secret-file takes a file of its own, and no device or pipe');
    }
    fchmodSync(this.#opened, 0o600);
  }

  /** Writes the secret in the place of the one before; whether it is on the disk. */
  keep(secret: string): boolean {
    try {
      ftruncateSync(this.#opened);
      writeFileSync(this.#opened, secret);
      return true;
    } catch {
      return false;
    }
  }

  /** Closes it; nothing stays of a file that was made for no secret. */
  close(): void {
    const { size } = fstatSync(this.#opened);
    closeSync(this.#opened);
    if (size === 0 && this.#isMade) rmSync(this.#file, { force: true });
  }
}
