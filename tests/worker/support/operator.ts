/** The operator's side: requests with the token, rows changed behind the gate's back, a server that takes notices. */
import { execFileSync } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { KEPT_MS } from '../../../demo/server.mjs';
import { alarmsLost } from '../../support/alarms.ts';
import type { Gate } from './gate.ts';
import type { JsonObject } from './payer.ts';
import type { Answer } from './raw.ts';
import { jsonOf, SECRETS, type World } from './world.ts';

/** Sends one request with the operator's token. */
export function ask(world: World, target: string, body?: unknown, bearer: string | undefined = SECRETS['OPERATOR_TOKEN']): Promise<Answer> {
  const token = ['Authorization', `Bearer ${bearer}`] as const;
  if (body === undefined) return world.gate.raw('GET', `/_farebox/${target}`, [token]);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return world.gate.raw('POST', `/_farebox/${target}`, [token, ['Content-Type', 'application/json']], text);
}

/** All rows of one payer. */
export async function rowsOf(world: World, payer: string): Promise<JsonObject[]> {
  const answer = await ask(world, `payments?payer=${payer}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return jsonOf(answer)['items'] as JsonObject[];
}

/** Runs a statement in every object's database; the gate has to be stopped. Gives how many rows it touched. */
export function plant(gate: Gate, statement: string, ...values: readonly (string | number)[]): number {
  const output = execFileSync('python3', ['-c', PLANT, gate.persist, statement, JSON.stringify(values)], { encoding: 'utf8' });
  return Number(output.trim());
}

/** To be planted: the hour until the next purge is over. */
export const PURGE_NOW = "UPDATE meta SET value = 1 WHERE name = 'purge_at'";

/** Takes every alarm from every object, as if the platform had lost them; the gate has to be stopped. Gives how many. */
export function loseAlarms(gate: Gate): number {
  return alarmsLost(gate.persist);
}

const PLANT = `
import glob, json, sqlite3, sys
folder, statement, values = sys.argv[1:]
touched = 0
for name in glob.glob(folder + '/**/*.sqlite', recursive=True):
    database = sqlite3.connect(name)
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if 'payments' in tables:
        cursor = database.execute(statement, json.loads(values))
        touched += len(cursor.fetchall()) if cursor.description else cursor.rowcount
        database.commit()
    database.close()
print(touched)
`;

export type Taken = { readonly target: string; readonly headers: IncomingMessage['headers']; readonly text: string; readonly atMs: number };

/** A server that keeps what it is sent; `statuses` are answered in turn, the last one stays. */
export class Listener {
  readonly url: string;
  readonly taken: Taken[] = [];
  readonly #server: Server;

  private constructor(server: Server, url: string, answer: (text: string, count: number) => [number, string]) {
    this.#server = server;
    this.url = url;
    server.on('request', (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const text = Buffer.concat(pieces).toString('utf8');
        this.taken.push({ target: request.url ?? '', headers: request.headers, text, atMs: performance.now() });
        const [status, body] = answer(text, this.taken.length);
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
      });
    });
  }

  static async start(answer: (text: string, count: number) => [number, string]): Promise<Listener> {
    const server = createServer({ keepAliveTimeout: KEPT_MS });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Listener(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answer);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
