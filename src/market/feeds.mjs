// Open feeds of an object: WebSockets that outlive its sleep, and streams of server-sent events. What belongs in which feed, who may
// open one and how many there are is the compiled part's; here lines are sent, and kept from those who do not read.

import { onLoss } from '../platform/instance.mjs';

/**
 * @typedef {{number: number, tags: string[], text: string}} Line
 * @typedef {{tag: string, client: string, count: number, ending: number}} OpenFeeds
 * @typedef {{about: unknown, tag: string, until: number | null, after: number, ready: string, lines: Line[], instead?: OpenFeeds | null}} Page
 * @typedef {{about: unknown, tag: string, client: string, until: number | null, since?: number, sent: number, flying: number, behind: boolean, answers: boolean, owed?: number, heard?: number, may?: number}} Place
 *
 * Where a reader is. `flying` lines were sent that it may not have got; `behind` it are lines that wait in the table. `owed` are
 * answers to lines; when it was `heard` last, it `may` have said so much beside them.
 */

/** Lines that may be on their way to a reader. */
const WINDOW = 64;
/** Messages that a reader may send at once beside one for each line that it was sent. */
const MAY_SAY = 16;
/** Milliseconds after which it may send another one of those. */
const SAYS_EVERY_MS = 1_000;
/** Milliseconds between two signs of life on a stream. */
const ALIVE_MS = 20_000;
/** Milliseconds after which a stream that takes nothing is closed. */
const STUCK_MS = 60_000;
/** Codes of a closed WebSocket: the session ended; the reader does not answer, or says too much; the Worker begins anew. */
const ENDED = 4001;
const SLOW = 4013;
const LOUD = 1008;
const AGAIN = 4012;

/** @type {WeakMap<object, Feeds>} */
const feedsOf = new WeakMap();

/**
 * Called by the compiled part after it has written.
 *
 * @param {object} state
 */
export function written(state) {
  const feeds = feedsOf.get(state);
  if (feeds !== undefined) queueMicrotask(() => feeds.tell());
}

export class Feeds {
  /**
   * @param {DurableObjectState} state
   * @param {{news(): string, next(about: string, after: number): string}} lines reads lines as JSON
   */
  constructor(state, lines) {
    this.state = state;
    this.lines = lines;
    /** @type {Set<Stream>} */
    this.streams = new Set();
    feedsOf.set(state, this);
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    // The next instance does not know what this one has told: readers come back with their cursors.
    onLoss(() => {
      this.streams.forEach((stream) => stream.close());
      state.getWebSockets().forEach((socket) => Socket.of(socket).close(AGAIN, 'come back with your cursor'));
    });
  }

  /** How many feeds are open of each tag and client. */
  open() {
    /** @type {Map<string, OpenFeeds>} */
    const all = new Map();
    /** @param {string[]} tags @param {boolean} counts */
    const add = ([tag = '', of = ''], counts) => {
      const known = all.get(`${tag} ${of}`) ?? { tag, client: of.slice(tagOf('').length), count: 0, ending: 0 };
      all.set(`${tag} ${of}`, counts ? { ...known, count: known.count + 1 } : { ...known, ending: known.ending + 1 });
    };
    for (const socket of this.state.getWebSockets()) add(this.state.getTags(socket), isOpen(socket));
    for (const { place } of this.streams) add([place.tag, tagOf(place.client)], true);
    return [...all.values()];
  }

  /**
   * Ends the oldest feed of a tag and a client; its reader comes back with its cursor, or asks from time to time.
   *
   * @param {OpenFeeds} of
   */
  end({ tag, client }) {
    const sockets = this.state
      .getWebSockets(tag)
      .filter(isOpen)
      .map((socket) => Socket.of(socket));
    const theirs = [...this.streams, ...sockets].filter(({ place }) => place.tag === tag && tagOf(place.client) === tagOf(client));
    theirs.sort((one, other) => (one.place.since ?? 0) - (other.place.since ?? 0));
    theirs[0]?.close(AGAIN, 'others wait; come back with your cursor');
  }

  /**
   * Opens a feed: the response.
   *
   * @param {Request} request
   * @param {string} client
   * @param {Page} page
   */
  answer(request, client, page) {
    const { about, tag, until, after, instead } = page;
    if (instead) this.end(instead);
    /** @type {Place} */
    const place = { about, tag, client, until, since: Date.now(), sent: after, flying: 0, behind: true, answers: false };
    if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') {
      const [theirs, ours] = Object.values(new WebSocketPair());
      if (theirs === undefined || ours === undefined) return new Response(null, { status: 500 });
      this.state.acceptWebSocket(ours, [tag, tagOf(client)]);
      const reader = new Socket(ours, place);
      reader.begin(page.ready);
      this.fill(reader, page.lines);
      return new Response(null, { status: 101, webSocket: theirs });
    }
    const stream = new Stream(place, this);
    this.streams.add(stream);
    stream.begin(page.ready, after);
    this.fill(stream, page.lines);
    return new Response(stream.readable, {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    });
  }

  /** Sends what was written to those whose feed it belongs to. */
  tell() {
    /** @type {Line[]} */
    const lines = JSON.parse(this.lines.news());
    if (lines.length === 0) return;
    for (const tag of new Set(lines.flatMap((line) => line.tags))) {
      const mine = lines.filter((line) => line.tags.includes(tag));
      for (const socket of this.state.getWebSockets(tag)) this.give(Socket.of(socket), mine);
      for (const stream of this.streams) if (stream.place.tag === tag) this.give(stream, mine);
    }
  }

  /**
   * @param {Socket | Stream} reader
   * @param {Line[]} lines
   */
  give(reader, lines) {
    const { place } = reader;
    if (place.until !== null && Date.now() >= place.until) {
      reader.close(ENDED, 'the session ended');
      return;
    }
    for (const line of lines) {
      if (place.behind || line.number <= place.sent) continue;
      if (place.flying < WINDOW) reader.send(line);
      else if (reader.waits()) place.behind = true;
      else return;
    }
    reader.keep();
  }

  /**
   * Sends a reader what waits in the table, as much as it may be sent.
   *
   * @param {Socket | Stream} reader
   * @param {Line[]} [first]
   */
  fill(reader, first) {
    const { place } = reader;
    let lines = first;
    while (place.behind && place.flying < WINDOW) {
      /** @type {Line[]} */
      const next = lines ?? JSON.parse(this.lines.next(JSON.stringify(place.about), place.sent));
      lines = undefined;
      for (const line of next) {
        if (place.flying >= WINDOW) break;
        reader.send(line);
      }
      if (next.length < WINDOW && (next.at(-1)?.number ?? place.sent) <= place.sent) place.behind = false;
    }
    reader.keep();
  }

  /** @param {WebSocket} socket that its reader has closed */
  gone(socket) {
    Socket.of(socket).close(1000, '');
  }

  /**
   * Whatever a reader says, it has got what it was sent. This object serves all others, too: whoever says more than there is to
   * answer is let go.
   *
   * @param {WebSocket} socket
   */
  answered(socket) {
    // What was on its way when it was closed.
    if (!isOpen(socket)) return;
    const reader = Socket.of(socket);
    if (!reader.hears()) {
      reader.close(LOUD, 'one answer to a line is enough');
      return;
    }
    reader.place.flying = 0;
    reader.place.answers = true;
    this.fill(reader);
  }
}

/** A reader by WebSocket; its place is kept while the object sleeps. */
class Socket {
  /**
   * @param {WebSocket} socket
   * @param {Place} place
   */
  constructor(socket, place) {
    this.socket = socket;
    this.place = place;
  }

  /** @param {WebSocket} socket */
  static of(socket) {
    return new Socket(socket, socket.deserializeAttachment());
  }

  /** @param {string} ready */
  begin(ready) {
    this.put(ready);
  }

  /** @param {Line} line */
  send(line) {
    this.put(line.text);
    this.place.sent = line.number;
    this.place.flying += 1;
    this.place.owed = (this.place.owed ?? 0) + 1;
  }

  /** Whether it will say when it has read; who never does is let go, and comes back with its cursor. */
  waits() {
    if (!this.place.answers) this.close(SLOW, 'answer, or come back with your cursor');
    return this.place.answers;
  }

  /** Whether it might say something now. */
  hears() {
    const now = Date.now();
    const { place } = this;
    place.owed = (place.owed ?? 0) - 1;
    if (place.owed >= 0) return true;
    const { heard = now, may = MAY_SAY } = place;
    place.owed = 0;
    place.may = Math.min(MAY_SAY, may + (now - heard) / SAYS_EVERY_MS) - 1;
    place.heard = now;
    return place.may >= 0;
  }

  keep() {
    this.socket.serializeAttachment(this.place);
  }

  /** @param {string} text */
  put(text) {
    try {
      this.socket.send(text);
    } catch {
      // It is closed already: the platform forgets it.
    }
  }

  /**
   * @param {number} code
   * @param {string} why
   */
  close(code, why) {
    try {
      this.socket.close(code, why);
    } catch {
      // As above.
    }
  }
}

/** A reader by server-sent events; it keeps the object awake. */
class Stream {
  /**
   * @param {Place} place
   * @param {Feeds} feeds
   */
  constructor(place, feeds) {
    this.place = place;
    this.feeds = feeds;
    const { readable, writable } = new TransformStream();
    this.readable = readable;
    this.writer = writable.getWriter();
    this.moved = Date.now();
    this.waiting = 0;
    this.timer = setInterval(() => this.live(), ALIVE_MS);
    this.writer.closed.catch(() => this.close());
  }

  /**
   * @param {string} ready
   * @param {number} after
   */
  begin(ready, after) {
    this.put(`id: ${after}\nevent: ready\ndata: ${ready}\n\n`);
  }

  /** @param {Line} line */
  send(line) {
    this.place.sent = line.number;
    this.place.flying += 1;
    this.put(`id: ${line.number}\ndata: ${line.text}\n\n`, () => {
      this.place.flying -= 1;
      if (this.place.behind && this.place.flying < WINDOW / 2) this.feeds.fill(this);
    });
  }

  waits() {
    return true;
  }

  keep() {}

  live() {
    const isStuck = this.waiting > 0 && Date.now() - this.moved > STUCK_MS;
    const isOver = this.place.until !== null && Date.now() >= this.place.until;
    if (isStuck || isOver) this.close();
    else if (this.waiting === 0) this.put(':\n\n');
  }

  /**
   * @param {string} text
   * @param {() => void} [then]
   */
  put(text, then) {
    this.waiting += 1;
    this.writer
      .write(BYTES.encode(text))
      .then(() => {
        this.waiting -= 1;
        this.moved = Date.now();
        then?.();
      })
      .catch(() => this.close());
  }

  close() {
    if (!this.feeds.streams.delete(this)) return;
    clearInterval(this.timer);
    this.writer.abort().catch(() => undefined);
  }
}

const BYTES = new TextEncoder();

/** @param {WebSocket} socket */
const isOpen = (socket) => socket.readyState === WebSocket.OPEN;

/** @param {string} client */
const tagOf = (client) => `client:${client}`.slice(0, 200);
