/** `backup` and `restore`: the folder of a gate that `serve` runs, or the rows of any gate by its operator API. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { EXIT, tell, Usage } from 'farebox/command';
import { backUp, restore } from '../serve/backup.js';
import { notIn } from '../serve/secrets.js';
import { inCopy } from '../serve/state.js';
import { copyAt } from './copy/index.js';

const HELP = `farebox backup, farebox restore: the folder of a gate on this machine

  npx farebox backup TARGET [--state FOLDER]     copies rows and secrets, also while it serves: requests wait meanwhile
  npx farebox restore SOURCE [--state FOLDER]    puts a copy back as an empty or new folder; stop the gate first

  npx farebox backup TARGET --at URL             copies the rows of a gate anywhere, also on Cloudflare, and no secret
  npx farebox restore SOURCE --at URL            puts such a copy into a gate that has sold nothing; call it again if it broke off

      --state FOLDER        [.farebox-gate]
      --at URL              the gate; its token is the environment's FAREBOX_OPERATOR_TOKEN, never an argument

A copy of a folder has the secrets: keep it where only you can read it, and out of what a server hands out. After a restore serve sets LEDGER_CLOSED_BEFORE by itself.
`;

const RESTORED = `is as it was then. What may have been paid since buys nothing again: for an hour, or MAX_VALIDITY_SECS if that is longer, clients of x402 get no offer; those of MPP do`;

/** Copies a folder, or puts a copy back. */
export async function backup(name: 'backup' | 'restore', args: readonly string[]): Promise<number> {
  const { values, positionals } = spokenIn(args);
  if (values.help === true) {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  const [place, ...others] = positionals;
  if (place === undefined || others.length > 0) throw new Usage(`${name} is followed by one folder`);
  // Only by the word: who has FAREBOX_URL set may mean the folder here.
  if (values.at !== undefined) {
    if (values.state !== undefined) throw new Usage('--at names a gate by its address, and --state one by its folder: give one of them');
    return copyAt(name, values.at, place);
  }
  const state = values.state ?? '.farebox-gate';
  if (name === 'backup') backUp(state, place);
  else restore(place, state);
  tell(name === 'backup' ? `${place} has the rows and ${secretsOf(place)}: keep it closed to others\n` : `${state} ${RESTORED}\n`);
  return EXIT.done;
}

/** What a copy has of the secrets: those of the environment are in no folder. */
function secretsOf(copy: string): string {
  const without = notIn(join(inCopy(copy), 'secrets.json')).join(' and ');
  return without === ''
    ? 'the secrets'
    : `no ${without}, which the environment has: keep that as well, because no gate starts from the copy without it`;
}

function spokenIn(args: readonly string[]) {
  try {
    const options = { help: { type: 'boolean', short: 'h' }, state: { type: 'string' }, at: { type: 'string' } } as const;
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Usage(`${(error as Error).message}; --help says what there is`);
  }
}
