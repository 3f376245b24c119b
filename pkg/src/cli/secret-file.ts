/** The file of `--secret-file`: it is opened before anything is signed, because a secret that cannot be kept is lost. */
import { closeSync, fchmodSync, fstatSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';

import { Usage } from './words.js';

/** A file for a secret, which its owner alone reads. */
export class SecretFile {
  readonly #file: string;
  readonly #opened: number;

  constructor(file: string) {
    this.#file = file;
    try {
      this.#opened = openSync(file, 'a', 0o600);
      fchmodSync(this.#opened, 0o600);
    } catch (error) {
      throw new Usage(`the file of --secret-file cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    }
  }

  /** Writes the secret in the place of the one before. */
  keep(secret: string): void {
    ftruncateSync(this.#opened);
    writeSync(this.#opened, secret);
  }

  /** Closes it; nothing stays of a file that has no secret. */
  close(): void {
    const { size } = fstatSync(this.#opened);
    closeSync(this.#opened);
    if (size === 0) rmSync(this.#file, { force: true });
  }
}
