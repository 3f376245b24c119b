/** Whether the server behind the gate hands out the folder of its secrets, as one for files does that stands in the same folder. */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { basename, join, sep } from 'node:path';

import { Usage } from 'farebox/command';

/** How long the server has to answer, and how long until it is asked again if it does not, at first and at most. */
const ANSWER_MS = 5_000;
const PAUSE_MS = { least: 5_000, most: 300_000 };
/** Enough of an answer to know the file by, bytes. */
const MOST_BYTES = 4_096;
/** The name of a folder of which no gate passes anything on, as servers for files hide it too. */
export const GUARDED = '.farebox-gate';
/** The names that this program gives to a folder, and to what is in one. */
const FOLDERS = [GUARDED, '.farebox-local'];
const INSIDE = ['secrets.json', 'rows', 'rows.json', 'runtime', 'restored.json', 'backup.json'];

/** Whether a target leads into the folder of a gate: no server is asked for it, however it is spelled. */
export function isOwnFolder(target: string, folder = ''): boolean {
  const [path = ''] = target.split('?');
  // Some servers decode what a proxy before them has decoded.
  const names = decoded(decoded(path)).toLowerCase().split(/[/\\]/);
  const own = basename(folder).toLowerCase();
  return names.some((name, at) => FOLDERS.includes(name) || (name === own && name !== '' && INSIDE.includes(names[at + 1] ?? '')));
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
  let pause = PAUSE_MS.least;
  const ask = async (): Promise<void> => {
    const found = await findIn(origin, folder, ends.signal);
    if (typeof found === 'string')
      fail(
        new Usage(
          `${origin} shows the folder of the secrets to everybody, at ${found}: move it out of what that server hands out, and name it by --state. Others may have its secrets: change them`,
        ),
      );
    else if (!found && !ends.signal.aborted) {
      setTimeout(() => void ask().catch(() => {}), pause).unref();
      pause = Math.min(2 * pause, PAUSE_MS.most);
    }
  };
  return { first: ask(), shown, stop: () => ends.abort() };
}

/** The path at which the server shows it; else whether it answered at each. */
async function findIn(origin: string, folder: string, ends: AbortSignal): Promise<string | boolean> {
  const [name, word] = [`shown-${randomBytes(4).toString('hex')}.json`, randomBytes(16).toString('hex')];
  const file = join(folder, name);
  const parts = folder.split(sep).filter((part) => part !== '');
  const paths = Array.from({ length: parts.length + 1 }, (_, from) => [...parts.slice(from), name].map(encodeURIComponent).join('/'));
  const signal = AbortSignal.any([ends, AbortSignal.timeout(ANSWER_MS)]);
  let answered = 0;
  try {
    // As closed as the secrets: who cannot read those does not show them.
    writeFileSync(file, `"${word}"`, { mode: 0o600, flag: 'wx' });
    const asked = paths.map(async (path) => {
      const text = await beginningOf(new URL(`${origin.replace(/\/$/, '')}/${path}`), signal);
      answered += 1;
      return text.includes(word) ? `/${path.slice(0, -name.length)}` : undefined;
    });
    const found = await Promise.all(asked.map((it) => it.catch(() => undefined)));
    return found.find((it) => it !== undefined) ?? answered === paths.length;
  } finally {
    rmSync(file, { force: true });
  }
}

/** The beginning of an answer: a server that answers each path may have much to say. */
function beginningOf(url: URL, signal: AbortSignal): Promise<string> {
  const request = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    // As the gate asks: some servers lead whoever comes by http elsewhere. The gate may trust an authority that is unknown here, and nothing secret is sent.
    const asked = request(url, { signal, rejectUnauthorized: false, headers: { 'x-forwarded-proto': 'https' } });
    asked.on('error', reject);
    // One that answers by another protocol (101) ends without an answer.
    asked.on('close', () => reject(new Error('no answer')));
    asked.on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length < MOST_BYTES) return;
        resolve(text);
        asked.destroy();
      });
      answer.on('end', () => resolve(text)).on('error', reject);
    });
    asked.end();
  });
}
