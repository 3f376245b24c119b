/**
 * A bare HTTP/1.1 client over one TCP socket.
 *
 * It sends request lines and header bytes exactly as given (no URL or header normalisation) and keeps what came
 * back: header rows in order, arrival time of every piece of the body, and whether the message was complete.
 * Times are milliseconds since the request was written.
 */
import { connect, type Socket } from 'node:net';

import { diagnosticIn } from '../../support/diagnostic.ts';

export type HeaderRow = readonly [name: string, value: string];

export type RawRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers?: readonly HeaderRow[];
  readonly body?: string | Uint8Array;
  /** Send `Content-Length` for `body` [true]; false when the headers carry their own framing. */
  readonly framed?: boolean;
  /** How long to wait for the whole answer, in milliseconds [30 000]. */
  readonly timeoutMs?: number;
  /** Hang up as soon as this many body bytes have arrived. */
  readonly hangUpAfterBytes?: number;
};

export type Timings = {
  readonly headMs: number;
  readonly firstByteMs: number;
  /** By the clock of `performance.now()`, to compare with what others did. */
  readonly firstByteAtMs: number;
  readonly lastByteMs: number;
};

export type Answer = {
  readonly status: number;
  /** First row of each name, in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly HeaderRow[];
  readonly body: Buffer;
  readonly text: string;
  readonly timings: Timings;
  readonly pieces: readonly { readonly atMs: number; readonly bytes: number }[];
  /** False when the connection ended before the message did. */
  readonly complete: boolean;
  /** The server closed, or announced that it will close, this connection. */
  readonly closed: boolean;
};

type Head = { readonly status: number; readonly rows: HeaderRow[]; readonly rest: Buffer };
type Body = { pieces: Buffer[]; done: boolean };

const IDLE_LIMIT_MS = 30_000;
/** How long a connection may have been idle to be used once more. */
const IDLE_MS = 3_000;

/** One keep-alive connection; requests are sent one after another. */
export class Connection {
  readonly #socket: Socket;
  #buffered: Buffer = Buffer.alloc(0);
  #ended = false;
  #announced = false;
  #usedAt = performance.now();
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => {
      this.#buffered = Buffer.concat([this.#buffered, piece]);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  static open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Connection(socket)));
    });
  }

  /** The server closed this connection, said that it will, or is about to: workerd ends an idle one after 5 s. */
  get ended(): boolean {
    return this.#ended || this.#announced || performance.now() - this.#usedAt > IDLE_MS;
  }

  close(): void {
    this.#socket.destroy();
  }

  async send(request: RawRequest): Promise<Answer> {
    const started = performance.now();
    const deadline = started + (request.timeoutMs ?? IDLE_LIMIT_MS);
    this.#socket.write(wireBytes(request));
    let head = await this.#readHead(deadline);
    while (head.status >= 100 && head.status < 200 && head.status !== 101) head = await this.#readHead(deadline);
    const headMs = performance.now() - started;
    const headers = firstRows(head.rows);
    const times: { atMs: number; bytes: number }[] = [];
    const body: Body = { pieces: [], done: false };
    const take = (piece: Buffer): void => {
      if (piece.length === 0) return;
      times.push({ atMs: performance.now() - started, bytes: piece.length });
      body.pieces.push(piece);
    };
    const enough = (): boolean =>
      request.hangUpAfterBytes !== undefined && times.reduce((sum, piece) => sum + piece.bytes, 0) >= request.hangUpAfterBytes;
    await this.#readBody(request.method, head.status, headers, body, take, enough, deadline);
    if (enough()) this.close();
    this.#announced = (headers['connection'] ?? '').toLowerCase() === 'close';
    const whole = Buffer.concat(body.pieces);
    this.#usedAt = performance.now();
    const lastByteMs = this.#usedAt - started;
    const firstByteMs = times[0]?.atMs ?? lastByteMs;
    const answer = {
      status: head.status,
      headers,
      rawHeaders: head.rows,
      body: whole,
      text: whole.toString('utf8'),
      timings: { headMs, firstByteMs, firstByteAtMs: started + firstByteMs, lastByteMs },
      pieces: times,
      complete: body.done,
      closed: this.ended,
    };
    // Whatever a test is about: what its answers say of failures has the published form.
    if (answer.status >= 400 && answer.complete && request.method !== 'HEAD') diagnosticIn(answer);
    return answer;
  }

  async #readHead(deadline: number): Promise<Head> {
    for (;;) {
      const at = this.#buffered.indexOf('\r\n\r\n');
      if (at >= 0) {
        const lines = this.#buffered.subarray(0, at).toString('latin1').split('\r\n');
        this.#buffered = this.#buffered.subarray(at + 4);
        const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(lines[0] ?? '')?.[1] ?? NaN);
        const rows = lines.slice(1).map((line): HeaderRow => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon), line.slice(colon + 1).trim()];
        });
        return { status, rows, rest: this.#buffered };
      }
      if (this.#ended)
        throw new Error('connection ended before a response head, as workerd does when the Worker lets a lost connection through');
      await this.#more(deadline);
    }
  }

  async #readBody(
    method: string,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: Body,
    take: (piece: Buffer) => void,
    enough: () => boolean,
    deadline: number,
  ): Promise<void> {
    if (method === 'HEAD' || status === 204 || status === 304) {
      body.done = true;
      return;
    }
    if ((headers['transfer-encoding'] ?? '').toLowerCase().includes('chunked')) {
      while (!enough()) {
        const line = await this.#line(deadline);
        if (line === undefined) return;
        const size = Number.parseInt(line, 16);
        if (size === 0) {
          while ((await this.#line(deadline)) !== '') if (this.#ended) break;
          body.done = true;
          return;
        }
        if (!(await this.#take(size, take, enough, deadline)) || enough()) return;
        await this.#line(deadline);
      }
      return;
    }
    const length = headers['content-length'];
    body.done = await this.#take(length === undefined ? Infinity : Number(length), take, enough, deadline);
    if (length === undefined) body.done = true;
  }

  async #line(deadline: number): Promise<string | undefined> {
    for (;;) {
      const at = this.#buffered.indexOf('\r\n');
      if (at >= 0) {
        const line = this.#buffered.subarray(0, at).toString('latin1');
        this.#buffered = this.#buffered.subarray(at + 2);
        return line;
      }
      if (this.#ended) return undefined;
      await this.#more(deadline);
    }
  }

  async #take(size: number, take: (piece: Buffer) => void, enough: () => boolean, deadline: number): Promise<boolean> {
    let left = size;
    while (left > 0 && !enough()) {
      if (this.#buffered.length > 0) {
        const piece = this.#buffered.subarray(0, Math.min(left, this.#buffered.length));
        this.#buffered = this.#buffered.subarray(piece.length);
        left -= piece.length;
        take(piece);
      } else if (this.#ended) {
        return left === Infinity;
      } else {
        await this.#more(deadline);
      }
    }
    return left === 0;
  }

  #more(deadline: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.close();
          reject(new Error('no complete answer in time'));
        },
        Math.max(1, deadline - performance.now()),
      );
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The first value of each header name, names in lower case. */
export function firstRows(rows: readonly HeaderRow[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of rows) found[name.toLowerCase()] ??= value;
  return found;
}

/** In fields code points up to U+00FF are single bytes, higher ones their UTF-8 bytes; targets are UTF-8 throughout. */
function fieldBytes(text: string): Buffer {
  return Buffer.concat(Array.from(text, (char) => Buffer.from(char, (char.codePointAt(0) ?? 0) <= 0xff ? 'latin1' : 'utf8')));
}

function wireBytes(request: RawRequest): Buffer {
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const rows = [...(request.headers ?? [])];
  if (!rows.some(([name]) => name.toLowerCase() === 'host')) rows.unshift(['Host', 'shop.example']);
  if (body !== undefined && request.framed !== false) rows.push(['Content-Length', String(body.length)]);
  const lines = rows.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = [Buffer.from(`${request.method} ${request.target} HTTP/1.1\r\n`, 'utf8'), fieldBytes(`${lines}\r\n`)];
  return Buffer.concat(body === undefined ? head : [...head, body]);
}
