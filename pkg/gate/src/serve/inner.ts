/** A request to workerd: its length and its sender are said by the front, never by the lines of the client. */
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { isIP } from 'node:net';

/** Where workerd listens. */
export type Inner = {
  /** Its socket. */
  readonly socket: string;
  /** Whether a proxy in front says who asks: the last entry of `X-Forwarded-For`, and `X-Forwarded-Proto`. */
  readonly trustsProxy: boolean;
};

/** What belongs to one connection, or is said by the front alone. */
const CONNECTION =
  /^(?:connection|keep-alive|proxy-connection|content-length|transfer-encoding|te|trailer|upgrade|expect|host|x-farebox-proto)$/;
/** What Cloudflare says of a client: here anybody could. */
const PLATFORM = /^(?:cf-.*|x-real-ip|true-client-ip)$/;
/** Servers that know names of CGI read each character but letters and digits as `-`. */
const isOwn = {
  test: (name: string): boolean => CONNECTION.test(name.toLowerCase()) || PLATFORM.test(name.toLowerCase().replace(/[^a-z0-9]/g, '-')),
};

/** Room for the longest answer of an origin with what the gate adds to it, bytes. */
const MOST_ANSWER_HEADER_BYTES = 1_048_576;

/** A connection for each request: no two clients share one, so no byte of one is ever read as another's. */
const agent = new Agent({ keepAlive: false });

/** The request of a client as it goes to workerd; `more` are lines of the front. */
export function innerRequest({ socket, trustsProxy }: Inner, asked: IncomingMessage, more: readonly string[] = []): ClientRequest {
  const [address = '', proto = ''] = senderOf(asked, trustsProxy) ?? [];
  const [path = '/', host = ''] = targetOf(asked) ?? [];
  const own = ['host', host, 'cf-connecting-ip', address, 'x-farebox-proto', proto];
  const lines = [...linesOf(asked.rawHeaders, isOwn), ...own, ...lengthOf(asked), ...more];
  const options = { socketPath: socket, method: asked.method, path, headers: lines, setHost: false, agent };
  // An answer that was paid for is handed over, also if a field of it has characters that no field may have.
  const lenient = { maxHeaderSize: MOST_ANSWER_HEADER_BYTES, insecureHTTPParser: true };
  const inner = request({ ...options, ...lenient } as RequestOptions);
  // Else it drops what is beyond 2,000 fields without a word.
  inner.maxHeadersCount = 0;
  return inner;
}

/** Where a request goes: a path, and the host that is asked; `undefined` if workerd could not read it. Spec: RFC 9112, 3.2. */
export function targetOf({ url = '', rawHeaders }: IncomingMessage): readonly [path: string, host: string] | undefined {
  const hosts = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'host');
  const [, named, rest = url] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  // A target with a host of its own stands above the line.
  const host = named ?? hosts[0] ?? '';
  const path = named === undefined || rest.startsWith('/') ? rest : `/${rest}`;
  return hosts.length === 1 && path.startsWith('/') && isHost(host) ? [path, host] : undefined;
}

/** Whether workerd and the gate in it can read a host and its port. */
function isHost(host: string): boolean {
  return /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d+)?$/i.test(host) && URL.canParse(`http://${host}`);
}

/** Sends the body on, if there is one. */
export function passesBody(asked: IncomingMessage, inner: ClientRequest): void {
  if (lengthOf(asked).length === 0) return void inner.end();
  // workerd ends a connection on which nothing comes for fifteen seconds, and a body may begin later.
  inner.flushHeaders();
  asked.pipe(inner);
}

/** How long the body is, as the parser of the front knows it; nothing without a body. */
function lengthOf({ headers }: IncomingMessage): string[] {
  if (headers['transfer-encoding'] !== undefined) return ['transfer-encoding', 'chunked'];
  const length = headers['content-length'];
  return length === undefined ? [] : ['content-length', String(BigInt(length))];
}

/** Header lines, value after name, but for those of these names and those that no field may be. */
export function linesOf(raw: readonly string[], without: Pick<RegExp, 'test'>): string[] {
  const isPassed = (name: string, value: string): boolean => !without.test(name) && isField(name, value);
  return raw.filter((_, at) => isPassed(raw[at - (at % 2)] ?? '', raw[at - (at % 2) + 1] ?? ''));
}

function isField(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** An address as this system has it, without the prefix of IPv4 in IPv6. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=[\d.]+$)/, '');

/** Who asks, and by which scheme; `undefined` if the proxy names nobody by an address. */
export function senderOf(
  { headers, socket }: IncomingMessage,
  trustsProxy: boolean,
): readonly [address: string, proto: string] | undefined {
  const said = trustsProxy ? headers['x-forwarded-for'] : undefined;
  // Without the line the proxy itself asks, or whoever looks after it.
  const named = said === undefined ? (socket.remoteAddress ?? '') : (String(said).split(',').pop() ?? '').trim();
  const address = plainAddress(named).replace(/^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/, '$1$2');
  if (isIP(address) === 0) return undefined;
  return [address, trustsProxy && headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'];
}
