/** Requests of an operator to a Worker: to the one that serves the page, or to one by its address. The token is in this object alone: no URL, no store. */

import { isObject, type Members, membersOf } from '../members.js';

/** What a request was refused with, in the words of the Worker. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** The parameter or member that it is about, if it is about one. */
    readonly parameter = '',
  ) {
    super(message);
  }
}

/** An answer that no Worker gives: it says neither that something was done nor that it was not. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';

  constructor() {
    super('The answer is none of a gate, a treasury or a market: does its address lead elsewhere, or does a login stand in front?');
  }
}

/** Whether the host of a URL is the machine that asks. */
export function isThisMachine(hostname: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** Whether a token may go there: over https, or over http to this machine, where nobody else reads it. */
export function takesTokens(url: string): boolean {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
  return protocol === 'https:' || (protocol === 'http:' && isThisMachine(hostname));
}

/** Longest text of an answer that a page repeats. */
const MOST_CHARS = 400;
const DEADLINE_MS = 30_000;

export class Operator {
  readonly #token: string;
  readonly #base: string;
  readonly #barOf: () => string | undefined;

  /** `base` is the Worker's origin; the page's own where it is left out. `barOf` says before each request why the token must not go out now. */
  constructor(token: string, base = '', barOf: () => string | undefined = () => undefined) {
    this.#token = token;
    this.#base = base;
    this.#barOf = barOf;
  }

  /** Reads; parameters that are empty are left out. */
  async read(path: string, parameters: Readonly<Record<string, string | undefined>> = {}): Promise<Members> {
    return this.#json(await this.#ask(withQuery(path, parameters), { method: 'GET' }));
  }

  /** Reads a text that is not long. */
  async text(path: string, parameters: Readonly<Record<string, string | undefined>>): Promise<string> {
    return (await this.#ask(withQuery(path, parameters), { method: 'GET' })).text();
  }

  /** Changes what parameters name, by a text that may be long. */
  async post(path: string, parameters: Readonly<Record<string, string | undefined>>, text = ''): Promise<Members> {
    return this.#json(await this.#ask(withQuery(path, parameters), { method: 'POST', body: text }));
  }

  /** Reads a long text, hands each piece over as it comes, and returns its last line. `begun` gets the header fields before. */
  async copy(
    path: string,
    parameters: Readonly<Record<string, string | undefined>>,
    piece: (text: string) => void,
    begun: (headers: Headers) => void = () => undefined,
  ): Promise<string> {
    const response = await this.#ask(withQuery(path, parameters), { method: 'GET' }, null);
    begun(response.headers);
    const decoder = new TextDecoder();
    let [last, rest] = ['', ''];
    const take = (text: string): void => {
      piece(text);
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      last = lines.pop() ?? last;
    };
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      take(decoder.decode(part.value, { stream: true }));
    take(decoder.decode());
    return rest === '' ? last : rest;
  }

  /** Decides or changes. */
  async tell(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: Members): Promise<Members> {
    return this.#json(await this.#ask(path, body === undefined ? { method } : { method, body: JSON.stringify(body) }));
  }

  async #ask(path: string, more: { method: string; body?: string }, deadline: number | null = DEADLINE_MS): Promise<Response> {
    const bar = this.#barOf();
    if (bar !== undefined) throw new Error(bar);
    const signal = deadline === null ? null : AbortSignal.timeout(deadline);
    const headers = { ...this.#headers(), ...(more.body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(`${this.#base}${path}`, {
      ...more,
      headers,
      signal,
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    });
    if (!response.ok) throw await refusalOf(response);
    return response;
  }

  async #json(response: Response): Promise<Members> {
    const text = await response.text();
    try {
      const said: unknown = JSON.parse(text);
      if (isObject(said)) return said;
    } catch {
      // It is no JSON.
    }
    throw new Unreadable();
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#token}` };
  }
}

function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined && value !== '') query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}

async function refusalOf(response: Response): Promise<Refused> {
  const said = membersOf(await response.json().catch(() => ({})));
  const detail =
    textOf(said, 'detail') ||
    textOf(said, 'title') ||
    textOf(said, 'message') ||
    textOf(said, 'error') ||
    `The answer is ${response.status}.`;
  const parameter = textOf(said, 'parameter');
  const about = parameter || textOf(said, 'until') || textOf(said, 'refunding');
  const text = about === '' ? detail : `${detail} (${about})`;
  return new Refused(response.status, textOf(said, 'code'), text.slice(0, MOST_CHARS), parameter);
}

/** An error in words. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Refused) return error.code === '' ? error.message : `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : 'something else than an error was thrown';
}

/** A name as one segment of a path. */
export function segmentOf(name: string): string {
  // A URL's parser takes dots for a way up.
  if (/^\.{0,2}$/.test(name)) throw new Refused(400, 'malformed_id', `${name === '' ? 'an empty text' : name} names nothing`);
  return encodeURIComponent(name);
}

/** A member that is a list of objects. */
export function listOf(members: Members, name: string): readonly Members[] {
  const list = members[name];
  return Array.isArray(list) ? list.map(membersOf) : [];
}

/** The items of an answer that is a list: one without any says that there is none, which an answer that is no list does not. */
export function itemsOf(members: Members, name = 'items'): readonly Members[] {
  if (!Array.isArray(members[name])) throw new Unreadable();
  return listOf(members, name);
}

/** What was done, if it was done to what `name` has to tell: an answer about anything else says neither that it was done nor that it was not. */
export function doneTo(members: Members, name: string, value: string): Members {
  if (textOf(members, name) !== value) throw new Unreadable();
  return members;
}

/** A member that is text, or a number of the document as text; else empty. */
export function textOf(members: Members, name: string): string {
  const value = members[name];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
