/** The HTTP server in front of workerd: it says who asks, and serves the pages. */
import { createServer, type IncomingMessage, type RequestOptions, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

import type { Pages } from './pages.js';

/** A front and where it listens. */
export type Front = {
  readonly url: string;
  /** Takes no more requests, and waits for those that are under way, at most so long. */
  close(milliseconds: number): Promise<void>;
};

export type FrontOptions = {
  readonly host: string;
  readonly port: number;
  /** The socket of workerd. */
  readonly socket: string;
  readonly pages: Pages;
  /** Whether a proxy in front says who asks: the last entry of `X-Forwarded-For`, and `X-Forwarded-Proto`. */
  readonly trustsProxy: boolean;
};

/** Room for the longest proof that the gate reads, and all else, bytes. */
const MOST_HEADER_BYTES = 65_536;
/** What belongs to one connection, or is said by the front alone. */
const OWN = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|te|trailer|upgrade|expect|cf-connecting-ip|x-farebox-proto)$/i;

/** Listens. */
export function openFront(options: FrontOptions): Promise<Front> {
  const server = createServer({ maxHeaderSize: MOST_HEADER_BYTES, requestTimeout: 0 }, (asked, answer) => {
    if (!options.pages.serve(asked, answer)) forward(options, asked, answer);
  });
  server.on('upgrade', (asked: IncomingMessage, socket: Duplex, head: Buffer) => tunnel(options, asked, socket, head));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      const { port } = server.address() as { port: number };
      const host = options.host.includes(':') ? `[${options.host}]` : options.host;
      resolve({ url: `http://${host}:${port}`, close: (milliseconds) => close(server, milliseconds) });
    });
  });
}

function close(server: Server, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => server.closeAllConnections(), milliseconds);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** The header lines that go to workerd: those of the client, and who they are. */
function linesOf({ rawHeaders, socket, headers }: IncomingMessage, trustsProxy: boolean, keeps: RegExp | undefined): string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]];
    if (!OWN.test(name) || keeps?.test(name) === true) lines.push(name, value);
  }
  const said = trustsProxy
    ? String(headers['x-forwarded-for'] ?? '')
        .split(',')
        .pop()
        ?.trim()
    : undefined;
  const address = (said !== undefined && said !== '' ? said : (socket.remoteAddress ?? '')).replace(/^::ffff:(?=[\d.]+$)/, '');
  const proto = trustsProxy && headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  lines.push('cf-connecting-ip', address, 'x-farebox-proto', proto);
  return lines;
}

function forward({ socket, trustsProxy }: FrontOptions, asked: IncomingMessage, answer: ServerResponse): void {
  const inner = request({
    socketPath: socket,
    method: asked.method,
    path: asked.url,
    headers: linesOf(asked, trustsProxy, hasBody(asked) ? /^transfer-encoding$/i : undefined),
    setHost: false,
  } as RequestOptions);
  inner.on('response', (said) => {
    const lines: string[] = [];
    for (let at = 0; at < said.rawHeaders.length; at += 2) {
      const [name = '', value = ''] = [said.rawHeaders[at], said.rawHeaders[at + 1]];
      if (!/^(?:connection|keep-alive|transfer-encoding)$/i.test(name)) lines.push(name, value);
    }
    answer.writeHead(said.statusCode ?? 502, lines as never);
    said.pipe(answer);
    // An answer that breaks off must not look whole.
    said.on('aborted', () => answer.destroy());
    said.on('error', () => answer.destroy());
  });
  inner.on('error', () => {
    if (answer.headersSent) answer.destroy();
    else unavailable(answer);
  });
  // A client that leaves ends its request; the gate decides what that means.
  answer.on('close', () => inner.destroy());
  asked.on('error', () => inner.destroy());
  asked.pipe(inner);
}

const hasBody = ({ headers }: IncomingMessage): boolean => headers['transfer-encoding'] !== undefined;

/** The answer while workerd is not there: nothing of the request has reached the gate, or it is not known. */
function unavailable(answer: ServerResponse): void {
  const body = {
    type: 'urn:farebox:problem:gate_unavailable',
    title: 'Gate unavailable',
    status: 503,
    detail: 'the gate does not run at the moment; send the same request again, with the same payment if there is one',
    code: 'gate_unavailable',
    retryable: true,
  };
  answer
    .writeHead(503, { 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'retry-after': '2' })
    .end(JSON.stringify(body));
}

/** An upgrade, such as a WebSocket's: bytes in both directions until one side ends. */
function tunnel({ socket, trustsProxy }: FrontOptions, asked: IncomingMessage, outer: Duplex, head: Buffer): void {
  const inner = connect(socket, () => {
    const lines = linesOf(asked, trustsProxy, /^(?:connection|upgrade)$/i);
    let text = `${asked.method} ${asked.url} HTTP/1.1\r\n`;
    for (let at = 0; at < lines.length; at += 2) text += `${lines[at]}: ${lines[at + 1]}\r\n`;
    inner.write(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
    inner.pipe(outer).pipe(inner);
  });
  for (const [one, other] of [
    [inner, outer],
    [outer, inner],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
