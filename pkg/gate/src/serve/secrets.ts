/** The secrets of a gate on this machine, and the file that keeps them. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { asWord, Usage } from 'farebox/command';
import { GATE_SECRETS } from './secret-names.js';
import { writeWhole } from './whole.js';

/** Bytes of each secret that a gate begins with. */
const BYTES = { GATE_SECRET: 32, LEDGER_SALT: 16, OPERATOR_TOKEN: 16 };

/** Those that no gate can do without. It may have no operator's token. */
const NEEDED = Object.keys(BYTES).filter((name) => name !== 'OPERATOR_TOKEN');

/** URLs that may have a key. They may stand in the file of `--config`: it names nodes and receivers as it names facilitators. */
export const NAMED_IN_FILES = ['RPC_URL', 'WEBHOOK_URL'];

/** Secrets that may come from the environment, besides the bearer token that the configuration names. */
export const SECRETS: readonly string[] = [...GATE_SECRETS, ...NAMED_IN_FILES];

/** Whether a variable is a secret that may stand in no file of others. */
export const isSecret = (name: string): boolean => SECRETS.includes(name) && !NAMED_IN_FILES.includes(name);

/** Whether the environment sets a variable: empty ones of a gate's own secrets are slips, but for the operator's token, without which there is no desk. */
export function isSet(name: string, value: string | undefined): value is string {
  return value !== undefined && !(value === '' && NEEDED.includes(name));
}

/** Random secrets that a gate begins with. */
export function gateSecrets(): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(BYTES).map(([name, bytes]) => [name, randomBytes(bytes).toString('hex')]));
}

/**
 * The secrets of a file, made at the first start but for those that are set elsewhere: a second one would stand in once that is lost. `LEDGER_SALT`
 * names rows: without it they are lost.
 */
export function secretsIn(file: string, set: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  if (!existsSync(file)) {
    const made = Object.entries(gateSecrets()).filter(([name]) => !isSet(name, set[name]));
    writeWhole(file, `${JSON.stringify(Object.fromEntries(made), null, 2)}\n`);
  }
  // Whoever wrote the file has the operator's token. What a checkout or a download brings is open, what this program makes is not.
  if (!isClosed(file))
    throw new Usage(
      `others can read ${file}. If it came with files of somebody else, name another --state: they know its secrets. If this gate made it: chmod 600 ${asWord(file)}`,
    );
  const secrets = objectIn(file);
  for (const [name, value] of Object.entries(secrets)) {
    // Any other variable here would win over what is not set, and nobody would see it.
    if (!Object.hasOwn(BYTES, name))
      throw new Usage(`${file} has ${JSON.stringify(name)}, and only ${Object.keys(BYTES).join(', ')} stand there: ${where(name)}`);
    if (typeof value !== 'string') throw new Usage(`${name} of ${file} is no text`);
  }
  return secrets as Record<string, string>;
}

/** Where a variable is set that does not stand among the secrets: the file of `--config` may have no other secret either. */
const where = (name: string): string =>
  isSecret(name) ? 'that is a secret, set it in the environment' : 'set that in the environment or in the file of --config';

/** Refuses to serve without a secret, which the environment may have had before. */
export function refuseWithout(vars: Readonly<Record<string, string>>, file: string): void {
  const none = NEEDED.filter((name) => (vars[name] ?? '') === '');
  if (none.length > 0)
    throw new Usage(`${none.join(', ')}: neither in the environment nor in ${file}. Set it where this gate had it before`);
}

/** Secrets without which rows or receipts are lost, and that a file does not have: the environment had them when it was made. */
export function notIn(file: string): readonly string[] {
  const secrets = objectIn(file);
  return NEEDED.filter((name) => (secrets[name] ?? '') === '');
}

function objectIn(file: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(readFileSync(file, 'utf8'))) as Record<string, unknown>;
  } catch {
    throw new Usage(`${file} cannot be read as JSON: put it back from a backup, because without it the rows are lost`);
  }
}

/** Whether only the owner reads a plain file, as far as this system can tell. What a link leads to counts. */
function isClosed(file: string): boolean {
  if (process.platform === 'win32') return true;
  const found = statSync(file);
  if (!found.isFile()) return false;
  if ((found.mode & 0o077) === 0) return true;
  // Volumes of Kubernetes open to their group what the gate made for itself.
  if ((found.mode & 0o007) === 0 && found.uid === process.getuid?.()) return true;
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
