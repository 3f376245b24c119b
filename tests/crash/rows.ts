// Reads the ledger's rows out of the files on which workerd keeps them, as a crash at this moment leaves them.
//
// The files are copied, and a second workerd opens the copies: SQLite's log is replayed by the engine that
// wrote it, the originals stay untouched, and nothing needs to be installed.

import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Miniflare } from '../support/miniflare.ts';

/** A row, as far as tests look at it. Times are unix seconds. */
export interface Row {
  readonly key: string;
  readonly payer: string;
  readonly mode: 'after' | 'before';
  readonly state: string;
  /** End of a lease or of a re-send on its way. */
  readonly due: number | null;
  readonly valid_before: number;
  readonly tx: string | null;
  readonly reason: string | null;
  readonly sealed: number;
  /** The requested URL. */
  readonly url: string;
}

export interface RowReader {
  /** All rows of all objects under a folder, with the process that writes them stopped meanwhile. */
  read(folder: string, writer?: number): Promise<Row[]>;
  stop(): Promise<void>;
}

export async function startRowReader(): Promise<RowReader> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-rows-'));
  const miniflare = new Miniflare({
    name: NAME,
    host: '127.0.0.1',
    port: 0,
    cf: false,
    compatibilityDate: '2026-04-01',
    modules: [{ type: 'ESModule', path: 'index.js', contents: SCRIPT }],
    durableObjects: { READER: { className: 'Reader', useSQLite: true } },
    defaultPersistRoot: folder,
  });
  const { origin } = await miniflare.ready;
  const objects = join(folder, 'do', `${NAME}-Reader`);
  mkdirSync(objects, { recursive: true });

  const readCopy = async (id: string): Promise<Row[]> => {
    const answer = await fetch(`${origin}/${id}`, { method: 'POST', body: QUERY });
    if (answer.status !== 200) throw new Error(`reading the ledger's file: ${await answer.text()}`);
    return (await answer.json()) as Row[];
  };

  return {
    async read(stored, writer) {
      const copies: string[] = [];
      const ids = new Map<string, string>();
      for (const file of databases(stored)) ids.set(file, await (await fetch(`${origin}/new/${randomUUID()}`)).text());
      if (writer !== undefined) process.kill(writer, 'SIGSTOP');
      try {
        for (const [file, id] of ids) {
          copies.push(id);
          for (const suffix of ['', '-wal']) {
            if (existsSync(file + suffix)) copyFileSync(file + suffix, join(objects, `${id}.sqlite${suffix}`));
          }
        }
      } finally {
        if (writer !== undefined) process.kill(writer, 'SIGCONT');
      }
      return (await Promise.all(copies.map(readCopy))).flat();
    },
    async stop() {
      await miniflare.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The databases of objects under a folder; the alarms' own has no rows. */
function databases(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.sqlite') && !name.endsWith('metadata.sqlite'))
    .map((name) => join(folder, name));
}

const NAME = 'rows';
const QUERY = 'SELECT key, payer, mode, state, due, valid_before, tx, reason, sealed, url FROM payments';
const SCRIPT = `
export class Reader {
  constructor(state) { this.sql = state.storage.sql; }
  async fetch(request) {
    try {
      return Response.json([...this.sql.exec(await request.text())]);
    } catch (error) {
      if (String(error).includes('no such table')) return Response.json([]);
      return new Response(String(error), { status: 500 });
    }
  }
}
export default {
  async fetch(request, env) {
    const [, name] = new URL(request.url).pathname.split('/');
    if (name === 'new') return new Response(env.READER.newUniqueId().toString());
    const object = env.READER.get(env.READER.idFromString(name));
    return object.fetch('http://reader/', { method: 'POST', body: await request.text() });
  },
};
`;
