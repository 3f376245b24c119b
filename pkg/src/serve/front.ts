/** The HTTP server in front of workerd: it says who asks, and serves the pages. */
import { type ClientRequest, createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';

import { type Inner, innerRequest, linesOf, passesBody, senderOf } from './inner.js';
import type { Pages } from './pages.js';
import { placesOf, type Room } from './places.js';
import { endsUnread } from './unread.js';
import { isWebSocket, joined, withoutUpgrade } from './upgrade.js';

/** A front and where it listens. */
export type Front = {
  readonly url: string;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Takes no more requests, ends WebSockets, and waits for what is under way, at most so long. */
  close(milliseconds: number): Promise<void>;
};

export type FrontOptions = Inner & {
  readonly host: string;
  readonly port: number;
  readonly pages: Pages;
  /** The network of an address, by which strangers are counted. */
  readonly networkOf: (address: string) => string;
  readonly room: Room;
  /** Milliseconds in which the head of a request has to come [a minute]. */
  readonly headersTimeout?: number;
  /** Milliseconds for which nothing of an answer is read, or a body goes on behind its answer [five minutes]. */
  readonly staleTimeout?: number;
};

/** Room for the longest proof that the gate reads, and all else, bytes. */
const MOST_HEADER_BYTES = 65_536;
/** Fields of a request. */
const MOST_FIELDS = 200;
/** Requests of one connection before the first of them is answered: each is held with its head, and the server itself would take any number. */
const MOST_WAITING = 8;
/** Who connects and says nothing holds a connection no longer. A body may take as long as the gate lets it. */
const HEADERS_MS = 60_000;
/** As long as a server of Node lets a request take, which is not set here because a body may take longer. */
const STALE_MS = 300_000;

/** Listens. */
export function openFront(options: FrontOptions): Promise<Front> {
  /** Connections that have become WebSockets: the server does not know them any more. */
  const upgraded = new Set<Duplex>();
  /** Requests of each connection whose answers are not over. */
  const waiting = new WeakMap<Duplex, Waiting>();
  const { headersTimeout = HEADERS_MS, staleTimeout = STALE_MS, room } = options;
  const [places, connections] = [placesOf(room.requests), placesOf(room.connections)];
  const server = createServer(
    { maxHeaderSize: MOST_HEADER_BYTES, requestTimeout: 0, headersTimeout, connectionsCheckingInterval: headersTimeout / 2 },
    (asked, answer) => {
      const address = taken(asked, answer);
      if (address !== undefined && !options.pages.serve(asked, answer)) placed(asked, answer, address);
    },
  );
  server.on('connection', (socket: Socket) => {
    // One that has offered another protocol comes a second time.
    if (waiting.has(socket)) return;
    const leave = connections.take(options.networkOf(socket.remoteAddress ?? ''));
    if (leave === undefined) return void socket.destroy();
    const asked: Waiting = new Map();
    waiting.set(socket, asked);
    socket.once('close', () => {
      leave();
      // The server may not know the connection any more, and an answer that waits for another one hears of no end.
      for (const ends of asked.values()) ends();
    });
  });
  // Else the server answers by itself, and a body may go on behind that for ever.
  server.on('checkExpectation', (asked: IncomingMessage, answer: ServerResponse) => {
    if (taken(asked, answer) !== undefined) refuse(answer, 417, 'expectation_failed', EXPECTED);
  });
  // Else it drops what is beyond 2,000 fields without a word, and with it how long the body is.
  server.maxHeadersCount = 0;
  endsUnread(server, staleTimeout);
  server.on('upgrade', (asked: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Two answers cannot have it. Spec: RFC 6455, 4.1.
    if (waiting.get(socket)?.size !== 0) return socket.on('error', () => {}).destroy();
    if (!isWebSocket(asked)) {
      // An ordinary request to whoever does not know that protocol. It is parsed once more, without the offer of it.
      socket.unshift(Buffer.concat([withoutUpgrade(asked), head]));
      server.emit('connection', socket);
      return;
    }
    socket.on('error', () => socket.destroy());
    if (hasTooMany(asked)) return refuse(answerOn(socket, asked), 431, 'too_many_fields', TOO_MANY);
    const [address] = senderOf(asked, options.trustsProxy) ?? [];
    if (address === undefined) return refuse(answerOn(socket, asked), 400, 'sender_unknown', NOBODY);
    const leave = places.take(options.networkOf(address));
    if (leave === undefined) return busy(answerOn(socket, asked));
    upgraded.add(socket);
    socket.once('close', () => {
      leave();
      upgraded.delete(socket);
    });
    if (head.length > 0) socket.unshift(head);
    upgrade(options, asked, socket);
  });
  /** Notes a request, and says who asks; `undefined` if it was refused. */
  function taken(asked: IncomingMessage, answer: ServerResponse): string | undefined {
    const others = waiting.get(asked.socket);
    asked.on('error', () => {});
    if (others === undefined || others.size >= MOST_WAITING) {
      asked.socket.destroy();
      return undefined;
    }
    others.set(asked, () => {});
    answer.once('close', () => others.delete(asked));
    answer.once('finish', () => endsLate(asked, staleTimeout));
    const [address] = senderOf(asked, options.trustsProxy) ?? [];
    if (hasTooMany(asked)) refuse(answer, 431, 'too_many_fields', TOO_MANY);
    else if (address === undefined) refuse(answer, 400, 'sender_unknown', NOBODY);
    else return address;
    return undefined;
  }
  /** Forwards a request if there is a place for it. */
  function placed(asked: IncomingMessage, answer: ServerResponse, address: string): void {
    const leave = places.take(options.networkOf(address));
    if (leave === undefined) busy(answer);
    else {
      const inner = forward(options, asked, answer);
      waiting.get(asked.socket)?.set(asked, () => {
        leave();
        inner.destroy();
      });
      answer.once('close', leave);
    }
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      const { port } = server.address() as { port: number };
      const host = options.host.includes(':') ? `[${options.host}]` : options.host;
      resolve({
        url: `http://${host}:${port}`,
        connections: () => promisify(server.getConnections.bind(server))(),
        close: (milliseconds) => close(server, upgraded, milliseconds),
      });
    });
  });
}

/** Requests, and what ends each of them and gives back its place. */
type Waiting = Map<IncomingMessage, () => void>;

const hasTooMany = ({ rawHeaders }: IncomingMessage): boolean => rawHeaders.length > 2 * MOST_FIELDS;

/** Ends a connection whose request was answered, unless its body ends too: nobody wants the rest, and each byte would put the end off. */
function endsLate(asked: IncomingMessage, milliseconds: number): void {
  if (asked.complete) return;
  const late = setTimeout(() => (asked.complete ? undefined : asked.socket.destroy()), milliseconds);
  late.unref();
  asked.socket.once('close', () => clearTimeout(late));
}

function close(server: Server, upgraded: ReadonlySet<Duplex>, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => server.closeAllConnections(), milliseconds);
    if (milliseconds === 0) server.closeAllConnections();
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
    for (const socket of upgraded) socket.destroy();
  });
}

function forward(options: Inner, asked: IncomingMessage, answer: ServerResponse): ClientRequest {
  const inner = innerRequest(options, asked);
  inner.on('response', (said) => {
    answer.writeHead(said.statusCode ?? 502, linesOf(said.rawHeaders, CONNECTION) as never);
    said.pipe(answer);
    // An answer that breaks off must not look whole.
    said.on('aborted', () => answer.destroy());
    said.on('error', () => answer.destroy());
  });
  inner.on('error', (error: NodeJS.ErrnoException) => {
    if (answer.headersSent) answer.destroy();
    else if (error.code?.startsWith('HPE_') === true) refuse(answer, 502, 'answer_unreadable', UNREADABLE);
    else unavailable(answer);
  });
  // A client that leaves ends its request; the gate decides what that means.
  answer.on('close', () => inner.destroy());
  asked.on('error', () => inner.destroy());
  passesBody(asked, inner);
  return inner;
}

/** What belongs to the connection to workerd. */
const CONNECTION = /^(?:connection|keep-alive|transfer-encoding)$/i;

/** Opens a WebSocket: nothing of the client's goes further before the other side has agreed. */
function upgrade(options: Inner, asked: IncomingMessage, outer: Duplex): void {
  const inner = innerRequest(options, asked, ['connection', 'upgrade', 'upgrade', 'websocket']);
  inner.on('upgrade', (said, socket, head) => joined(outer, said, socket, head));
  inner.on('response', (said) => {
    const plain = answerOn(outer, asked);
    plain.writeHead(said.statusCode ?? 502, linesOf(said.rawHeaders, CONNECTION) as never);
    said.pipe(plain);
    said.on('error', () => outer.destroy());
  });
  inner.on('error', () => (outer.writable ? unavailable(answerOn(outer, asked)) : outer.destroy()));
  outer.once('close', () => inner.destroy());
  inner.end();
}

/** An ordinary answer on a connection that did not become another protocol's. */
function answerOn(outer: Duplex, asked: IncomingMessage): ServerResponse {
  const answer = new ServerResponse(asked);
  answer.shouldKeepAlive = false;
  try {
    answer.assignSocket(outer as Socket);
  } catch {
    // It has begun another answer: a part of that must not look whole, and this one goes nowhere.
    outer.destroy();
  }
  // The server knows the connection no more: a long answer would stop where it first waits for its reader,
  outer.on('drain', () => answer.emit('drain'));
  // and the connection would stay half open for as long as its client likes.
  answer.on('finish', () => (outer as Socket).destroySoon());
  return answer;
}

const TOO_MANY = `a request has at most ${MOST_FIELDS} header fields`;
const NOBODY = 'the proxy in front has to write the address of the client as the last entry of X-Forwarded-For';
const EXPECTED = 'of what Expect may say, 100-continue is understood';
const UNREADABLE = 'the answer has header fields that cannot be read; if the request was paid for, the operator knows the payment';

/** The answer where all places are taken: nothing of the request has reached the gate. */
function busy(answer: ServerResponse): void {
  answer.setHeader('retry-after', '1');
  const detail = 'the gate has as many requests under way as it takes; send the same request again, with the same payment if there is one';
  refuse(answer, 503, 'gate_busy', detail);
}

/** The answer while workerd is not there: nothing of the request has reached the gate, or it is not known. */
function unavailable(answer: ServerResponse): void {
  answer.setHeader('retry-after', '2');
  const detail = 'the gate does not run at the moment; send the same request again, with the same payment if there is one';
  refuse(answer, 503, 'gate_unavailable', detail);
}

function refuse(answer: ServerResponse, status: number, code: string, detail: string): void {
  const title = `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('_', ' ')}`;
  const body = { type: `urn:farebox:problem:${code}`, title, status, detail, code, retryable: status === 503 };
  answer
    .writeHead(status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store', connection: 'close' })
    .end(JSON.stringify(body));
}
