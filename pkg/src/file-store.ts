/** A record in a folder, shared by every process of the machine that uses it; survives kill -9. */
import { randomBytes } from 'node:crypto';
import { access, link, mkdir, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { unusable } from './error.js';
import type { Store } from './store.js';

/** One state: the record, and the ids of earlier states, the latest last. */
type State = { readonly ids: readonly string[]; readonly record: string };

/**
 * Each state of the record is its own file, `budget-<n>.json`, complete before it has that name. An
 * existing link cannot be made again, so of two writers that replace the same state one loses, even
 * if either is killed; there is no lock.
 */
export function fileStore(folder: string): Store {
  if (typeof folder !== 'string' || folder === '') throw unusable('invalid_argument', 'the folder of fileStore is not a path');
  const nameOf = (n: number): string => join(folder, `budget-${n}.json`);
  const numbers = async (): Promise<number[]> => {
    const found = (await readdir(folder)).map((name) => /^budget-(\d{1,15})\.json$/.exec(name)?.[1]);
    return found
      .filter((n) => n !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  };
  const latest = async (): Promise<{ n: number; state: State | undefined }> => {
    for (;;) {
      const n = (await numbers()).at(-1);
      if (n === undefined) return { n: 0, state: undefined };
      try {
        return { n, state: JSON.parse(await readFile(nameOf(n), 'utf8')) as State };
      } catch (error) {
        // Replaced and removed meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  };
  return {
    read: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { n, state } = await latest();
      return { record: state?.record, version: { n, ids: state?.ids ?? [] } };
    },
    replace: async (version, record) => {
      const { n, ids } = version as { n: number; ids: readonly string[] };
      const mine = nameOf(n + 1);
      // A writer that is already late needs no draft.
      if (
        await access(mine).then(
          () => true,
          () => false,
        )
      )
        return false;
      const id = randomBytes(12).toString('hex');
      const draft = join(folder, `draft-${process.pid}-${id}`);
      try {
        await write(draft, { ids: [...ids, id].slice(-ANCESTORS), record });
        await link(draft, mine);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
        throw error;
      } finally {
        // Also what a full disk has cut: each further try would take what becomes free.
        await remove(draft);
      }
      await kept(folder);
      const present = await numbers();
      // This number may have been used and removed long ago, while this writer slept: then the
      // latest state, which is never removed, does not descend from this one.
      if (present.at(-1) !== n + 1 && !((await latest()).state?.ids.includes(id) ?? false)) {
        await remove(mine);
        return false;
      }
      const old = present.filter((number) => number < n + 1 - KEPT);
      await Promise.all([...old.map((number) => remove(nameOf(number))), removeDrafts(folder)]);
      return true;
    },
  };
}

/** Writes a file to the disk, whole. */
async function write(path: string, state: State): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(state));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts the names of a folder on the disk: without them a loss of power takes the file that was synced. Not every system can. */
async function kept(folder: string): Promise<void> {
  const names = await open(folder).catch(() => undefined);
  await names?.sync().catch(() => undefined);
  await names?.close();
}

/** Removes drafts that writers have left who were killed. */
async function removeDrafts(folder: string): Promise<void> {
  const drafts = (await readdir(folder)).filter((name) => DRAFT.test(name)).map((name) => join(folder, name));
  const isLeft = (path: string): Promise<boolean> =>
    stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs > DRAFT_MS,
      () => false,
    );
  for (const path of drafts) if (await isLeft(path)) await remove(path);
}

async function remove(path: string): Promise<void> {
  // Another process removed it, which is fine.
  await unlink(path).catch(() => undefined);
}

/** The name of a draft. Others in the folder are somebody's own. */
const DRAFT = /^draft-\d+-[0-9a-f]{24}$/;
/** Milliseconds after which nobody writes a draft any more. */
const DRAFT_MS = 3_600_000;
/** Earlier states kept for their readers. */
const KEPT = 8;
/**
 * Earlier ids that are listed; a writer that sleeps through more counts a payment twice, never not
 * at all.
 */
const ANCESTORS = 64;
