/** The HTTP server in front of workerd: it says who asks, and serves the pages. */
import { type ClientRequest, createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';

import { type Inner, innerRequest, linesOf, passesBody, senderOf, targetOf } from './inner.js';
import type { Pages } from './pages.js';
import { placesOf, type Room } from './places.js';
import { proxyTeller } from './proxy.js';
import { BUSY, EXPECTED, MOST_FIELDS, NOBODY, NOWHERE, OWN, type Refusal, refuse, TOO_MANY, UNAVAILABLE, UNREADABLE } from './refusals.js';
import { isOwnFolder } from './shown.js';
import { type Watch, watching } from './sides.js';
import { isWebSocket, joined, waiting, withoutUpgrade } from './upgrade.js';

/** A front and where it listens. */
export type Front = {
  readonly url: string;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Takes no more requests, ends WebSockets, and waits for what is under way, at most so long. What is left is cut after `first`. */
  close(milliseconds: number, first?: () => Promise<void>): Promise<void>;
};

export type FrontOptions = Inner & {
  readonly host: string;
  readonly port: number;
  readonly pages: Pages;
  /** The network of an address, by which strangers are counted. */
  readonly networkOf: (address: string) => string;
  readonly room: Room;
  /** The folder of the gate [none]. */
  readonly folder?: string;
  /** Told the status of each answer of the gate [nobody]. */
  readonly answered?: (status: number) => void;
  /** Told once of a proxy that is not trusted, or that passes no host on. */
  readonly log?: (text: string) => void;
  /** Milliseconds in which the head of a request has to come [a minute]. */
  readonly headersTimeout?: number;
  /** Milliseconds for which a side of a connection is waited for, ten times as long as for the end of a WebSocket [five minutes]. */
  readonly staleTimeout?: number;
};

/** Room for the longest proof that the gate reads, and all else, bytes. */
const MOST_HEADER_BYTES = 65_536;
/** Beyond it the server drops fields without a word, and with them how long the body is: by then there are too many of them. */
const KEPT_FIELDS = MOST_FIELDS + 50;
/** Who connects and says nothing holds a connection no longer. A body may take as long as the gate lets it. */
const HEADERS_MS = 60_000;
/** As long as a server of Node lets a request take, which is not set here because a body may take longer. */
const STALE_MS = 300_000;

/** How long a connection waits for its next request: longer than proxies keep theirs, which would send a payment into one that has just ended. */
const IDLE_MS = { proxy: 130_000, client: 5_000 };

/** A client that has vanished would hold its place for ever. */
const ALIVE = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** Listens. */
export function openFront(options: FrontOptions): Promise<Front> {
  /** Connections that have become WebSockets: the server does not know them any more. */
  const upgraded = new Set<Duplex>();
  const endless: Endless = new Set();
  const known = new WeakMap<Duplex, Connection>();
  const { headersTimeout = HEADERS_MS, staleTimeout = STALE_MS, room } = options;
  const tellOfProxy = proxyTeller(options.trustsProxy, options.networkOf, options.log);
  const [places, connections] = [placesOf(room.requests), placesOf(room.connections)];
  const server = createServer(
    { maxHeaderSize: MOST_HEADER_BYTES, requestTimeout: 0, headersTimeout, connectionsCheckingInterval: headersTimeout / 2, ...ALIVE },
    (asked, answer) => {
      const waits = begins(asked, answer);
      if (waits === undefined || options.pages.serve(asked, answer)) return;
      const inner = forward(options, asked, answer, endless);
      const { leave } = waits;
      waits.ends.set(asked, () => {
        leave();
        inner.destroy();
      });
    },
  );
  server.maxHeadersCount = KEPT_FIELDS;
  server.keepAliveTimeout = options.trustsProxy ? IDLE_MS.proxy : IDLE_MS.client;
  const watch = watching(server, staleTimeout);
  // Else the server answers by itself, and a body may go on behind that for ever.
  server.on('checkExpectation', (asked: IncomingMessage, answer: ServerResponse) => {
    if (begins(asked, answer) !== undefined) refuse(answer, EXPECTED);
  });
  server.on('connection', (socket: Socket) => {
    // One that has offered another protocol comes a second time.
    if (known.has(socket)) return;
    const leave = connections.take(options.networkOf(socket.remoteAddress ?? ''));
    if (leave === undefined) return void socket.destroy();
    const connection: Connection = { ends: new Map() };
    known.set(socket, connection);
    // Nobody wants the rest of a body whose request was answered, and each byte would put the end off.
    watch(socket, () => connection.late?.complete === false);
    socket.once('close', () => {
      leave();
      // The server may not know the connection any more, and an answer that waits for another one hears of no end.
      for (const end of connection.ends.values()) end();
    });
  });
  server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => {
    // Two answers cannot have it. Spec: RFC 6455, 4.1.
    if (known.get(socket)?.ends.size !== 0) return socket.on('error', () => {}).destroy();
    if (!hasTooMany(asked) && !isWebSocket(asked)) {
      // An ordinary request to whoever does not know that protocol. It is parsed once more, without the offer of it.
      socket.unshift(Buffer.concat([withoutUpgrade(asked), head]));
      server.emit('connection', socket);
      return;
    }
    socket.on('error', () => socket.destroy());
    // What is ending opens nothing that has no end.
    const leave = server.listening ? placeOf(asked) : UNAVAILABLE;
    if (typeof leave !== 'function') return refuse(answerOn(socket, asked), leave);
    upgraded.add(socket);
    socket.once('close', () => {
      leave();
      upgraded.delete(socket);
    });
    if (head.length > 0) socket.unshift(head);
    upgrade(options, watch, asked, socket);
  });

  /** Takes the place of a request, or says why there is none. */
  function placeOf(asked: IncomingMessage): (() => void) | Refusal {
    if (hasTooMany(asked)) return TOO_MANY;
    const [target] = targetOf(asked) ?? [];
    if (target === undefined) return NOWHERE;
    if (isOwnFolder(target, options.folder)) return OWN;
    tellOfProxy(asked);
    const [address] = senderOf(asked, options.trustsProxy) ?? [];
    return address === undefined ? NOBODY : (places.take(options.networkOf(address)) ?? BUSY);
  }

  /** Begins a request; `undefined` if it was refused. */
  function begins(asked: IncomingMessage, answer: ServerResponse): Begun | undefined {
    asked.on('error', () => {});
    const connection = known.get(asked.socket);
    const place = placeOf(asked);
    const leave = typeof place === 'function' ? place : () => {};
    // A refusal that waits for another answer would be held with its head, and nothing would bound how many are.
    if (connection === undefined || (typeof place !== 'function' && connection.ends.size > 0)) {
      leave();
      asked.socket.destroy();
      return undefined;
    }
    const { ends } = connection;
    ends.set(asked, leave);
    answer.once('close', () => {
      leave();
      ends.delete(asked);
    });
    answer.once('finish', () => {
      // The bodies of those before it have ended.
      if (!asked.complete) connection.late = asked;
    });
    if (typeof place === 'function') return { ends, leave };
    refuse(answer, place);
    return undefined;
  }

  return new Promise((resolve, reject) => {
    // Also later, where the system takes no further connection: an error that nobody hears would end this process.
    server.on('error', reject);
    server.listen(options.port, options.host, () => {
      const { port } = server.address() as { port: number };
      const host = options.host.includes(':') ? `[${options.host}]` : options.host;
      resolve({
        url: `http://${host}:${port}`,
        connections: () => promisify(server.getConnections.bind(server))(),
        close: (milliseconds, first) => close(server, { upgraded, endless }, milliseconds, first),
      });
    });
  });
}

/** A connection. */
type Connection = {
  /** Its requests whose answers are not over, and what ends each of them and gives back its place. */
  readonly ends: Map<IncomingMessage, () => void>;
  /** The last request that was answered before its body had ended. */
  late?: IncomingMessage;
};
/** The requests of the connection of one that has begun, and what gives back its place. */
type Begun = Pick<Connection, 'ends'> & { readonly leave: () => void };

const hasTooMany = ({ rawHeaders }: IncomingMessage): boolean => rawHeaders.length > 2 * MOST_FIELDS;

/** Answers that end where their connection ends, as those to clients of HTTP/1.0 do: a reset alone tells that one broke off. */
type Endless = Set<ServerResponse>;

function breakOff(answer: ServerResponse, endless: Endless): void {
  if (endless.has(answer)) answer.socket?.resetAndDestroy();
  else answer.destroy();
}

/** What is under way and has no end of its own. */
type Open = { readonly upgraded: ReadonlySet<Duplex>; readonly endless: Endless };

function close(server: Server, { upgraded, endless }: Open, milliseconds: number, first?: () => Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const endsUpgraded = (): void => {
      for (const socket of upgraded) socket.destroy();
    };
    const endsAll = async (): Promise<void> => {
      await first?.();
      for (const answer of endless) breakOff(answer, endless);
      server.closeAllConnections();
      endsUpgraded();
    };
    // Nor does a connection wait for another request behind one that ends from now on.
    server.keepAliveTimeout = 1;
    const late = setTimeout(endsAll, milliseconds);
    if (milliseconds === 0) void endsAll();
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
    endsUpgraded();
  });
}

function forward(options: FrontOptions, asked: IncomingMessage, answer: ServerResponse, endless: Endless): ClientRequest {
  const inner = innerRequest(options, asked);
  inner.on('response', (said) => {
    options.answered?.(said.statusCode ?? 502);
    answer.writeHead(said.statusCode ?? 502, linesOf(said.rawHeaders, CONNECTION) as never);
    if (asked.httpVersionMinor === 0 && said.headers['content-length'] === undefined) endless.add(answer);
    answer.once('close', () => endless.delete(answer));
    said.pipe(answer);
    // An answer that breaks off must not look whole.
    said.on('aborted', () => breakOff(answer, endless));
    said.on('error', () => breakOff(answer, endless));
  });
  inner.on('error', (error: NodeJS.ErrnoException) => {
    if (answer.headersSent) breakOff(answer, endless);
    else if (error.code?.startsWith('HPE_') === true) refuse(answer, UNREADABLE);
    else refuse(answer, UNAVAILABLE);
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
function upgrade(options: Inner, watch: Watch, asked: IncomingMessage, outer: Socket): void {
  const inner = innerRequest(options, asked, ['connection', 'upgrade', 'upgrade', 'websocket']);
  const early = waiting(outer);
  inner.on('socket', (socket) => watch(socket, () => true));
  inner.on('upgrade', (said, socket, head) => joined(watch, outer, early(), said, socket, head));
  inner.on('response', (said) => {
    watch(said.socket);
    const plain = answerOn(outer, asked);
    plain.writeHead(said.statusCode ?? 502, linesOf(said.rawHeaders, CONNECTION) as never);
    said.pipe(plain);
    said.on('error', () => outer.destroy());
  });
  inner.on('error', () => (outer.writable ? refuse(answerOn(outer, asked), UNAVAILABLE) : outer.destroy()));
  outer.once('close', () => inner.destroy());
  inner.end();
}

/** An ordinary answer on a connection that did not become another protocol's. */
function answerOn(outer: Socket, asked: IncomingMessage): ServerResponse {
  const answer = new ServerResponse(asked);
  answer.shouldKeepAlive = false;
  try {
    answer.assignSocket(outer);
  } catch {
    // It has begun another answer: a part of that must not look whole, and this one goes nowhere.
    outer.destroy();
  }
  // The server knows the connection no more: a long answer would stop where it first waits for its reader,
  outer.on('drain', () => answer.emit('drain'));
  // and the connection would stay half open for as long as its client likes.
  answer.on('finish', () => outer.destroySoon());
  return answer;
}
