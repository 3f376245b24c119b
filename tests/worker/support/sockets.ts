/** An echo of WebSockets, and clients: with the implementation that Miniflare itself is made with. */
import { createRequire } from 'node:module';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export type Socket = {
  readonly protocol: string;
  send(data: string | Buffer): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', heard: (data: Buffer, isBinary: boolean) => void): void;
  on(event: 'close', heard: (code: number) => void): void;
  on(event: 'error', heard: (error: Error) => void): void;
  once(event: string, heard: (value: never, other: { readonly statusCode?: number }) => void): void;
};

type Server = {
  readonly clients: ReadonlySet<Socket>;
  address(): { readonly port: number };
  close(): void;
  on(event: 'listening', heard: () => void): void;
  on(event: 'connection', heard: (socket: Socket, request: { readonly url: string; readonly headers: Headers }) => void): void;
};

const { WebSocket, WebSocketServer } = createRequire(createRequire(import.meta.url).resolve('miniflare'))('ws') as {
  readonly WebSocket: new (url: string, protocols: readonly string[], options: { readonly headers: Headers }) => Socket;
  readonly WebSocketServer: new (options: object) => Server;
};

/** Longer than any step takes. */
const DEADLINE_MS = 20_000;

export type Upgraded = { readonly url: string; readonly headers: Headers };

/** Sends back what it gets, and speaks the first protocol that it is offered. */
export class Echo {
  readonly port: number;
  /** The requests that became connections. */
  readonly upgraded: Upgraded[] = [];
  /** The codes that connections were closed with. */
  readonly closed: number[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = server.address().port;
    server.on('connection', (socket, { url, headers }) => {
      this.upgraded.push({ url, headers });
      socket.on('message', (data, isBinary) => socket.send(isBinary ? data : String(data)));
      socket.on('close', (code) => this.closed.push(code));
    });
  }

  static async start(): Promise<Echo> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (offered: Set<string>) => [...offered][0] ?? false });
    await new Promise<void>((resolve) => server.on('listening', resolve));
    return new Echo(server);
  }

  stop(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}

/** A client's connection; it may not be open yet. */
export function connect(
  gate: string,
  path: string,
  { protocols = [], headers = {} }: { protocols?: readonly string[]; headers?: Headers } = {},
): Socket {
  return new WebSocket(new URL(path, gate).href.replace(/^http/, 'ws'), protocols, { headers });
}

/** The value of the next such event. */
export function next<T>(socket: Socket, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), DEADLINE_MS);
    socket.once(event, (value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

/** The status of the answer to a connection that is not upgraded. */
export function refusal(socket: Socket): Promise<number | undefined> {
  socket.on('error', () => {});
  return new Promise((resolve) => socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode)));
}
