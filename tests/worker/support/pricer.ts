/** A scripted Worker that names prices: a few lines in workerd, bound as `PRICER`, which do what a server tells them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { KEPT_MS } from '../../../demo/server.mjs';
import type { Json, JsonObject } from './payer.ts';

/** What it does when it is asked; a text is sent as it is. */
export type Price =
  | { readonly kind: 'json'; readonly body: Json }
  | { readonly kind: 'text'; readonly body: string; readonly status?: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'throws' | 'hangs' | 'drips' };

export class Pricer {
  readonly url: string;
  /** What it was asked, with method, URL and header fields of the question itself. */
  readonly questions: { readonly asked: JsonObject; readonly method: string; readonly url: string; readonly headers: readonly string[] }[] =
    [];
  readonly #server: Server;
  #answers: readonly Price[] = [];

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (piece: Buffer) => {
        text += piece.toString('utf8');
      });
      request.on('end', () => {
        const { body, method, url, headers } = JSON.parse(text) as { body: string; method: string; url: string; headers: string[] };
        this.questions.push({ asked: JSON.parse(body) as JsonObject, method, url, headers });
        const [next, ...rest] = this.#answers;
        if (rest.length > 0) this.#answers = rest;
        response.end(JSON.stringify(next ?? { kind: 'throws' }));
      });
    });
  }

  static async start(): Promise<Pricer> {
    const server = createServer({ keepAliveTimeout: KEPT_MS });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Pricer(server, (server.address() as AddressInfo).port);
  }

  /** Each answer serves once, and the last one stays. */
  says(...answers: readonly Price[]): void {
    this.#answers = answers;
  }

  /** As {@link Pricer.says}, for prices. */
  asks(...prices: readonly Json[]): void {
    this.says(...prices.map((price) => ({ kind: 'json' as const, body: { price } })));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The Worker; `PRICES` is the server. */
export const PRICER_WORKER = `
export default {
  async fetch(request, env) {
    const { method, url } = request;
    const body = JSON.stringify({ body: await request.text(), method, url, headers: [...request.headers.keys()] });
    const told = await (await fetch(env.PRICES, { method: 'POST', body })).json();
    if (told.kind === 'throws') throw new Error('the pricer fails');
    if (told.kind === 'hangs') return new Promise(() => { setInterval(() => {}, 1000); });
    if (told.kind === 'json') return Response.json(told.body);
    if (told.kind === 'text') return new Response(told.body, { status: told.status, headers: told.headers });
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    writer.write(new TextEncoder().encode('{"price":')).catch(() => {});
    setInterval(() => { writer.write(new TextEncoder().encode(' ')).catch(() => {}); }, 200);
    return new Response(readable);
  },
};
`;
