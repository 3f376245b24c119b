/** Whether the server behind the gate hands out the folder of its secrets, as one for files does that stands in the same folder. */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';

import { Usage } from '../cli/words.js';

/** How long the server has to answer, and how long until it is asked again if it does not. */
const ANSWER_MS = 5_000;
const PAUSE_MS = 5_000;

/** Whether a target leads into a folder of the names that this program gives: no server is asked for it, however it is spelled. */
export function isOwnFolder(target: string): boolean {
  const [path = ''] = target.split('?');
  // Some servers decode what a proxy before them has decoded.
  return /[/\\]\.farebox-(?:gate|local)(?:[/\\]|$)/i.test(decoded(decoded(path)));
}

const decoded = (path: string): string =>
  path.replace(/%([\da-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));

/** Looks whether a server shows a folder. */
export type Look = {
  /** Ends once it was asked: its answer is known, or it gave none. */
  readonly first: Promise<void>;
  /** Fails once the server has shown a file of the folder; else it never ends. */
  readonly shown: Promise<never>;
  /** Asks no more. */
  stop(): void;
};

/** Asks a server for a file of the folder, at each path at which it may have it, until it answers. */
export function lookFor(origin: string, folder: string): Look {
  const ends = new AbortController();
  let fail: (error: Usage) => void;
  const shown = new Promise<never>((_, reject) => {
    fail = reject;
  });
  shown.catch(() => {});
  const ask = async (): Promise<void> => {
    const found = await findIn(origin, folder, ends.signal);
    if (typeof found === 'string')
      fail(
        new Usage(
          `${origin} shows the folder of the secrets to everybody, at ${found}: name another --state, outside what that server hands out. Let nobody use its secrets any more: remove ${join(folder, 'secrets.json')} if nothing was sold yet`,
        ),
      );
    else if (!found && !ends.signal.aborted) setTimeout(() => void ask().catch(() => {}), PAUSE_MS).unref();
  };
  return { first: ask(), shown, stop: () => ends.abort() };
}

/** The path at which the server shows it; else whether the server answered at all. */
async function findIn(origin: string, folder: string, ends: AbortSignal): Promise<string | boolean> {
  const [name, word] = [`shown-${randomBytes(4).toString('hex')}.json`, randomBytes(16).toString('hex')];
  const file = join(folder, name);
  const parts = folder.split(sep).filter((part) => part !== '');
  const paths = Array.from({ length: parts.length + 1 }, (_, from) => [...parts.slice(from), name].map(encodeURIComponent).join('/'));
  const signal = AbortSignal.any([ends, AbortSignal.timeout(ANSWER_MS)]);
  let hasAnswered = false;
  try {
    // As closed as the secrets: who cannot read those does not show them.
    writeFileSync(file, `"${word}"`, { mode: 0o600, flag: 'wx' });
    const asked = paths.map(async (path) => {
      const answer = await fetch(`${origin.replace(/\/$/, '')}/${path}`, { redirect: 'manual', signal });
      hasAnswered = true;
      return (await answer.text()).includes(word) ? `/${path.slice(0, -name.length)}` : undefined;
    });
    const found = await Promise.all(asked.map((it) => it.catch(() => undefined)));
    return found.find((it) => it !== undefined) ?? hasAnswered;
  } finally {
    rmSync(file, { force: true });
  }
}
