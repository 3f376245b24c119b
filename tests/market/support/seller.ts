/** Sellers of the tests: one server that does at each path what it is told, and remembers what came. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { KEPT_MS } from '../../../demo/server.mjs';

export type Came = { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: string };
export type Script = (request: Came, response: ServerResponse, number: number) => void | Promise<void>;

/** Answers 200 with what came. */
export const echo: Script = ({ body, url }, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ at: url, said: body }));
};

export class Seller {
  readonly url: string;
  readonly came: Came[] = [];
  readonly scripts = new Map<string, Script>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      void this.#serve(request, response);
    });
  }

  static async start(): Promise<Seller> {
    const server = createServer({ keepAliveTimeout: KEPT_MS });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return new Seller(server);
  }

  of(path: string): Came[] {
    return this.came.filter(({ url }) => url.split('?')[0] === path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    try {
      for await (const piece of request) body += String(piece);
    } catch {
      return;
    }
    const { method = '', url = '', headers } = request;
    const came = { method, url, headers, body };
    const path = url.split('?')[0] ?? '';
    this.came.push(came);
    await (this.scripts.get(path) ?? echo)(came, response, this.of(path).length);
  }
}
