/** Files that have a secret: nobody but their owner may read them. */
import { randomBytes } from 'node:crypto';
import { realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Whether nobody but its owner reads a file, as far as this system can tell. What a link leads to counts. */
export function isClosed(file: string): boolean {
  if (process.platform === 'win32') return true;
  const { mode, uid } = statSync(file);
  if ((mode & 0o077) === 0) return true;
  // Volumes of Kubernetes open to their group what the program made for itself.
  if ((mode & 0o007) === 0 && uid === process.getuid?.()) return true;
  return !keepsModes(dirname(realpathSync(file)));
}

/** Whether files in a folder are as closed as they are made: a folder of Windows in a container is not. */
function keepsModes(folder: string): boolean {
  const probe = join(folder, `.mode-${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(probe, '', { mode: 0o600, flag: 'wx' });
    return (statSync(probe).mode & 0o077) === 0;
  } catch {
    return true;
  } finally {
    rmSync(probe, { force: true });
  }
}
