// Lets a body flow as far as it is paid for. What is charged is decided elsewhere: here units are counted, of pieces that
// are read from the origin only when the client takes them.

import { joined } from '../platform/body.mjs';
import { LATE } from '../platform/deadline.mjs';
import { BodyReader, Waits } from '../platform/reading.mjs';

/** Bytes that a reader takes in one deadline. */
const MAX_TAKEN_BYTES = 65_536;
/** Milliseconds of waiting for an origin that are silence. */
const SILENT_MS = 1_000;
/** Longer than any body flows, milliseconds. */
const LONGEST_MS = 604_800_000;

/** @typedef {(promise: Promise<true>, longest: number) => Promise<true>} Watch fails when who decides is lost */

/**
 * Set by the entry: the module that watches instances cannot be loaded before the compiled part.
 *
 * @type {Watch}
 */
let survived = (promise) => promise;

/** @param {Watch} watch */
export function watchFlows(watch) {
  survived = watch;
}

/** A body that flows, of a response. */
export class Flow {
  /**
   * @param {Response} response
   * @param {string} unit `second`, `byte` or `event`
   * @param {boolean} hasEvents whether it is made of server-sent events
   * @param {number} idle milliseconds without a byte after which the origin counts as broken
   * @param {number} taking milliseconds after which a reader who takes nothing counts as gone
   * @param {number | undefined} promised bytes that have to come
   * @param {number} longest bytes of the longest event
   */
  constructor(response, unit, hasEvents, idle, taking, promised, longest) {
    const { readable, writable } = promised === undefined ? new IdentityTransformStream() : new FixedLengthStream(promised);
    this.readable = readable;
    this.writer = writable.getWriter();
    this.reader = response.body === null ? undefined : new BodyReader(response.body);
    this.unit = unit;
    this.hasEvents = hasEvents;
    this.longest = longest;
    this.comes = new Waits(idle);
    this.takes = new Waits(taking);
    /** Units that are paid, and until when seconds are. */
    this.paid = 0;
    /** @type {number | undefined} */
    this.paidUntil = undefined;
    /**
     * Pieces that were read and have not left.
     *
     * @type {Uint8Array[]}
     */
    this.pieces = [];
    /** The beginning of an event. */
    this.rest = new Uint8Array(0);
    this.hasLeft = false;
    /** Settled when the client has left. */
    this.gone = this.writer.closed.then(
      () => this.leaves(),
      () => this.leaves(),
    );
    /** Called when it has ended. */
    this.ended = () => {};
    // Who decides may be lost with its instance: then nothing flows any more.
    survived(
      new Promise((resolve) => {
        this.ended = () => {
          resolve(true);
        };
      }),
      LONGEST_MS,
    ).catch(() => {
      this.cut();
    });
  }

  /**
   * The next piece, or how the body ended.
   *
   * @returns {Promise<Uint8Array | 'complete' | 'broken' | 'client_left'>}
   */
  async next() {
    for (;;) {
      const [piece] = this.pieces;
      if (piece !== undefined) return piece;
      if (this.reader === undefined) return 'complete';
      if (this.hasLeft) return 'client_left';
      const since = Date.now();
      const read = await this.comes.for(this.reader.read()).catch(() => LATE);
      this.skip(since);
      if (read === LATE) return this.hasLeft ? 'client_left' : 'broken';
      if (read.done) {
        this.reader = undefined;
        // Readers drop an event without its empty line; what comes after it would be a part of it.
        if (this.rest.length > 0) this.pieces.push(joined([this.rest, EMPTY_LINES], this.rest.length + EMPTY_LINES.length));
      } else if (this.hasEvents) {
        if (!this.take(read.value)) return 'broken';
      } else if (read.value.length > 0) this.pieces.push(read.value);
    }
  }

  /**
   * Takes silence of the origin out of the seconds that count, unless they are paid. Only what was waited is silence: while the
   * reader takes nothing, pieces come and are not seen.
   *
   * @param {number} since when a wait for the origin began
   */
  skip(since) {
    const now = Date.now();
    if (this.paidUntil === undefined || now - since < SILENT_MS) return;
    this.paidUntil += Math.max(0, now - Math.max(this.paidUntil, since));
  }

  /** Notes that the client has left. A race for each piece would be kept until then. */
  leaves() {
    this.hasLeft = true;
    this.comes.stop();
    return true;
  }

  /**
   * Takes bytes apart into events; whether none is too long.
   *
   * @param {Uint8Array} bytes
   */
  take(bytes) {
    let at = Math.max(0, this.rest.length - 3);
    let all = this.rest.length === 0 ? bytes : joined([this.rest, bytes], this.rest.length + bytes.length);
    for (let end = endOfEvent(all, at); end > 0; end = endOfEvent(all, at)) {
      // However it is cut: the payer counts none that is longer.
      if (end > this.longest) return false;
      this.pieces.push(all.subarray(0, end));
      all = all.subarray(end);
      at = 0;
    }
    // A piece is there until the next one is read.
    this.rest = all.slice();
    return all.length <= this.longest;
  }

  /**
   * What of a piece is paid: all, a part, or nothing of it.
   *
   * @param {Uint8Array} piece
   */
  paidOf(piece) {
    if (this.unit === 'second') return Date.now() < (this.paidUntil ?? 0) ? piece : undefined;
    if (this.unit === 'event' && (!this.hasEvents || !hasData(piece))) return piece;
    const price = this.unit === 'event' ? 1 : piece.length;
    const part = this.hasEvents ? (this.paid < price ? 0 : price) : Math.min(this.paid, price);
    this.paid -= part;
    if (part === 0) return undefined;
    return part < price ? piece.subarray(0, part) : piece;
  }

  /** Lets flow what is paid: `due` when more is there, or how the body ended. */
  async flow() {
    for (;;) {
      const piece = await this.next();
      if (typeof piece === 'string') return piece;
      const part = this.paidOf(piece);
      if (part === undefined) return 'due';
      if (part.length < piece.length) this.pieces[0] = piece.subarray(part.length);
      else this.pieces.shift();
      if (!(await this.write(part))) return 'client_left';
    }
  }

  /**
   * Seconds go on from the last one that was paid: whoever pays or reads late has what came meanwhile, and pays for it.
   *
   * @param {number} units
   */
  grant(units) {
    if (this.unit === 'second') this.paidUntil = (this.paidUntil ?? Date.now()) + units * 1000;
    else this.paid += units;
  }

  /**
   * Whether the reader has taken it.
   *
   * @param {Uint8Array} bytes
   */
  async write(bytes) {
    for (let at = 0; at < bytes.length; at += MAX_TAKEN_BYTES) {
      const part = bytes.subarray(at, at + MAX_TAKEN_BYTES);
      if (
        (await this.takes.for(
          this.writer.write(part).then(
            () => true,
            () => false,
          ),
        )) !== true
      )
        return false;
    }
    return true;
  }

  /** Breaks it off. */
  cut() {
    this.close(() => this.writer.abort(new Error('it is not paid on, or the origin broke off')));
  }

  /** @param {() => Promise<unknown>} how */
  close(how) {
    this.ended();
    this.comes.end();
    this.takes.end();
    this.reader?.cancel().catch(() => {});
    how().catch(() => {});
  }
}

const EMPTY_LINES = new Uint8Array([10, 10]);
const [LF, CR] = [10, 13];

/**
 * Where the first event ends, after its empty line; -1 if it is not there yet.
 *
 * @param {Uint8Array} bytes
 * @param {number} from
 */
function endOfEvent(bytes, from) {
  const after = (/** @type {number} */ at) => (bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : at + 1);
  for (let at = from; at < bytes.length; at += 1) {
    if (bytes[at] !== LF && bytes[at] !== CR) continue;
    const next = after(at);
    if (bytes[next] === LF || bytes[next] === CR) return after(next);
  }
  return -1;
}

/**
 * Whether an event has data: a comment has none.
 *
 * @param {Uint8Array} event
 */
function hasData(event) {
  return /(?:^|[\r\n])data(?:[:\r\n]|$)/.test(new TextDecoder().decode(event));
}

/**
 * @param {Response} response
 * @param {string} unit
 * @param {boolean} hasEvents
 * @param {number} idle
 * @param {number} taking
 * @param {number | undefined} promised
 * @param {number} longest
 */
export function openFlow(response, unit, hasEvents, idle, taking, promised, longest) {
  return new Flow(response, unit, hasEvents, idle, taking, promised, longest);
}

/**
 * Lets so many units more flow: `due` when they have left, or how the body ended.
 *
 * @param {Flow} flow
 * @param {number} units
 */
export function letFlow(flow, units) {
  flow.grant(units);
  return flow.flow();
}

/**
 * Ends it after this text, or as one that broke off.
 *
 * @param {Flow} flow
 * @param {string | undefined} text
 */
export async function endFlow(flow, text) {
  if (text === undefined) return flow.cut();
  if (text !== '') await flow.write(new TextEncoder().encode(text));
  flow.close(() => flow.writer.close());
}

/**
 * Tells the reader why it waits, and asks the object until it has another answer than that it waits; undefined if the
 * client has left or the object is down.
 *
 * @param {Flow} flow
 * @param {string | undefined} event
 * @param {Promise<{ answer: string } | undefined>} answered
 */
export async function paused(flow, event, answered) {
  if (event !== undefined && !(await flow.write(new TextEncoder().encode(event)))) return undefined;
  const said = await Promise.race([answered, flow.gone]);
  return typeof said === 'object' ? said.answer : undefined;
}
