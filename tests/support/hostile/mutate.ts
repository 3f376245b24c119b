/** Requests that are almost right: one that is valid, with something done to it that a seed chooses. */
import { gzipSync } from 'node:zlib';

import type { Random } from '../../pkg/random.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A request as a client that is right sends it. */
export type Shape = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Json;
  /** Whether whoever sends it may end what is others': it is then never about these. */
  readonly mayAll?: true;
};

/** A request as it is sent. */
export type Sent = {
  readonly method: string;
  readonly path: string;
  /** A name with several values is sent so often. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer | undefined;
  /** Ends after so many bytes of the body, of which more were announced. */
  readonly cutAt?: number;
  /** What was done to it, for a failure. */
  readonly changes: readonly string[];
};

/** What mutations may put in the place of a name: of others, and of nothing. */
export type Names = { readonly foreign: readonly string[]; readonly tokens: readonly string[] };

/** Those that Node and workerd send; others never reach a Worker. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PURGE', 'PROPFIND', 'REPORT', 'SEARCH', 'LOCK'];
const NOBODYS = ['nowhere', 'x', '00000000-0000-0000-0000-000000000000'];
const PROTOTYPES = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'then', '__defineGetter__'];
/** Numbers as text: `JSON.stringify` writes none of them. */
const NUMBERS = [
  '1e999',
  '-1e999',
  '1e-999',
  '-0',
  '9'.repeat(9_000),
  `0.${'0'.repeat(5_000)}1`,
  '9007199254740993',
  '1E+2',
  '18446744073709551616',
  '01',
  '+1',
  '.5',
  '1.',
  'NaN',
  '0x10',
];
const TEXTS = [
  '',
  ' ',
  '\0',
  '\u202e\u2066evil\u2069',
  'e\u0301\u0327',
  '\ufeff',
  '𝒳'.repeat(300),
  'a\r\nb: c',
  '../../etc/passwd',
  "' OR 1=1 --",
  '${7*7}',
  '<script>alert(1)</script>',
  '`touch x`;$IFS',
  '%00%2e%2e',
  'null',
  '-1',
  '1e3',
  '0x',
  `0x${'0'.repeat(40)}`,
  `0x${'f'.repeat(64)}`,
];
const SEGMENTS = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%00',
  '%',
  '%zz',
  '%2f',
  '%ff%fe',
  '*',
  '~',
  ';x=1',
  '%F0%9D%92%B3',
  'x'.repeat(15_000),
  '%41'.repeat(4_000),
  "'",
  '"',
  '%0d%0a',
  '__proto__',
  'constructor',
  '0',
  '-1',
  '99999999999999999999',
];
const QUERIES = [
  'limit=0',
  'limit=-1',
  'limit=1e9',
  'limit=999999999999999999999999',
  'cursor=',
  'cursor=%00',
  'cursor=x',
  'format=xml',
  'agent=%ff',
  'organization=',
  'network_profile=',
  'network_profile=live-mainnet',
  'page=0',
  'pageSize=-3',
  'consume=true',
  'a&b&&=&==',
  'x='.repeat(4_000),
  `q=${'%F0%9F%98%80'.repeat(500)}`,
  '__proto__=1',
  'version=0',
  'maxPriceXLM=NaN',
  'mode=live',
  'mode=&network=',
  '?',
  '%',
];
const FIELDS: readonly (readonly [string, string | readonly string[]])[] = [
  ['x-402flow-sdk-version', ''],
  ['x-402flow-sdk-version', '9'.repeat(5_000)],
  ['x-farebox-candidate', '{"__proto__":1}'],
  ['x-agent-id', 'x'.repeat(20_000)],
  ['x-agent-id', '\xff\xfe'],
  ['idempotency-key', ''],
  ['idempotency-key', 'k'.repeat(10_000)],
  ['idempotency-key', 'farebox-1'],
  ['idempotency-key', ['one', 'two']],
  ['payment-signature', 'e30='],
  ['payment-signature', 'A'.repeat(20_000)],
  ['x-payment', Buffer.from('['.repeat(3_000)).toString('base64')],
  ['x-payment', '!'],
  ['payment-authorization', 'Payment x'],
  ['farebox-signature', 't=1,v1=0'],
  ['farebox-signature-v2', 't=1,v2=0'],
  ['farebox-payment', 'x'],
  ['farebox-payer', 'x'],
  ['farebox-pack', 'fbp_x'],
  ['farebox-amount', '1'],
  ['farebox-skill', 'x'],
  ['accept', 'text/event-stream'],
  ['accept', 'a/b;q='.repeat(2_000)],
  ['accept-encoding', 'br;q=9'],
  ['content-type', 'text/xml'],
  ['content-type', 'multipart/form-data'],
  ['content-type', '\xe9'],
  ['cookie', 'quotadex_dashboard_mode=x; quotadex_dashboard_live_network=__proto__'],
  ['cookie', 'a='.repeat(20_000)],
  ['last-event-id', '-1'],
  ['last-event-id', '9'.repeat(400)],
  ['range', 'bytes=0-0'],
  ['x-forwarded-for', '127.0.0.1'],
  ['forwarded', 'for=127.0.0.1'],
  ['x-http-method-override', 'DELETE'],
  ['x-original-url', '/api/organizations'],
  ['host', 'evil.example'],
  ['origin', 'https://evil.example'],
  ['referer', '\xff'],
  ['cf-connecting-ip', 'x'],
  ['cf-connecting-ip', '::ffff:1.2.3.4'],
  ['upgrade-insecure-requests', '1'],
  ['if-none-match', '*'],
];

/** A valid request, changed in one to three ways. */
export function mutated(random: Random, shape: Shape, names: Names): Sent {
  const state: Draft = {
    method: shape.method,
    path: shape.path,
    headers: { ...shape.headers },
    text: undefined,
    bytes: undefined,
    changes: [],
  };
  const value = shape.body === undefined ? undefined : structuredClone(shape.body);
  const tree = { root: value };
  for (let left = 1 + random.below(3); left > 0; left -= 1) {
    const change = random.pick(
      tree.root === undefined
        ? [onMethod, onPath, onQuery, onField, onToken, addBody]
        : [onMethod, onPath, onQuery, onField, onToken, onMember, onMember, onMember, onMember, onBytes, onBytes],
    );
    change(random, state, tree, shape.mayAll ? { ...names, foreign: NOBODYS } : names);
  }
  if (tree.root !== undefined && state.bytes === undefined) state.bytes = Buffer.from(textOf(tree.root));
  if (tree.root !== undefined) state.headers['content-type'] ??= 'application/json';
  const { method, path, headers, bytes, cutAt, changes } = state;
  return { method, path, headers, body: bytes, changes, ...(cutAt === undefined ? {} : { cutAt }) };
}

/** A valid request as it is. */
export function plain({ method, path, headers = {}, body }: Shape): Sent {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return {
    method,
    path,
    headers: { ...(bytes === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    body: bytes,
    changes: [],
  };
}

type Draft = {
  method: string;
  path: string;
  headers: Record<string, string | readonly string[]>;
  text: string | undefined;
  bytes: Buffer | undefined;
  cutAt?: number;
  changes: string[];
};
type Tree = { root: Json | undefined };
type Change = (random: Random, draft: Draft, tree: Tree, names: Names) => void;

const onMethod: Change = (random, draft) => {
  draft.method = random.pick(METHODS);
  draft.changes.push(`method ${draft.method}`);
};

const onPath: Change = (random, draft, _, { foreign }) => {
  const [path = '', query] = draft.path.split('?');
  const parts = path.split('/');
  const at = 1 + random.below(Math.max(1, parts.length - 1));
  const kind = random.below(6);
  if (kind < 3) parts[at] = random.pick(foreign);
  if (kind === 3) parts[at] = random.pick(SEGMENTS);
  if (kind === 4) parts.splice(at, 0, random.pick(SEGMENTS.slice(0, 12)));
  if (kind === 5) parts.splice(at, 1);
  draft.path = (parts.join('/') || '/') + (query === undefined ? '' : `?${query}`);
  if (!draft.path.startsWith('/')) draft.path = `/${draft.path}`;
  draft.changes.push(`path ${kind} at ${at}`);
};

const onQuery: Change = (random, draft, _, { foreign }) => {
  const [path = '', query] = draft.path.split('?');
  const pairs = query === undefined ? [] : query.split('&');
  const at = random.below(pairs.length + 1);
  const name = pairs[at]?.split('=')[0];
  pairs[at] =
    name === undefined || random.below(2) === 0
      ? random.pick(QUERIES)
      : `${name}=${encodeURIComponent(random.pick([...foreign, ...TEXTS, 'x'.repeat(9_000)]))}`;
  if (random.below(4) === 0) pairs.push(...pairs);
  draft.path = `${path}?${pairs.join('&')}`;
  draft.changes.push(`query at ${at}`);
};

const onField: Change = (random, draft) => {
  const [name, value] = random.pick(FIELDS);
  draft.headers[name] = value;
  draft.changes.push(`field ${name}`);
  if (random.below(12) !== 0) return;
  for (let index = 0; index < 150; index += 1) draft.headers[`x-${index}`] = 'v'.repeat(random.below(60));
  draft.changes.push('150 fields');
};

const onToken: Change = (random, draft, _, { tokens }) => {
  const own = String(draft.headers['authorization'] ?? '');
  const token = random.pick(tokens);
  const kind = random.below(9);
  const values: readonly (string | readonly string[] | undefined)[] = [
    undefined,
    `Bearer ${token}`,
    `bearer  ${token} `,
    `Bearer ${token.slice(0, -1)}`,
    `Bearer ${token}x`,
    `Basic ${Buffer.from(token).toString('base64')}`,
    `Bearer ${'t'.repeat(30_000)}`,
    `${own}, ${own}`,
    `Payment ${token}`,
  ];
  const value = values[kind];
  if (value === undefined) delete draft.headers['authorization'];
  else draft.headers['authorization'] = value;
  draft.changes.push(`token ${kind}`);
};

const addBody: Change = (random, draft, tree) => {
  tree.root = random.pick<Json>([{}, [], null, 'x', { a: 1 }, { organization: 'x', seller_id: 'x' }]);
  draft.changes.push('a body');
};

/** One member, wherever it stands, is another value, another name, gone, or there twice. */
const onMember: Change = (random, draft, tree, { foreign }) => {
  const places = placesIn(tree.root);
  const put = (change: string): void => {
    draft.changes.push(change);
  };
  if (places.length === 0) {
    tree.root = strange(random, foreign);
    put('another value for the body');
    return;
  }
  const { inside, name } = random.pick(places);
  const holder = inside as Record<string, Json>;
  const kind = random.below(8);
  if (kind < 4) holder[name] = strange(random, foreign);
  if (kind === 4) delete holder[name];
  if (kind === 5) define(holder, random.pick(PROTOTYPES), random.pick<Json>([{ isAdmin: true }, 'x', null, 1, []]));
  // `textOf` writes each member of such a name under the name behind it.
  if (kind === 6) define(holder, `${TWICE}${name}`, random.below(2) === 0 ? (holder[name] ?? null) : strange(random, foreign));
  if (kind === 7) define(holder, random.pick(['unknown', 'é', '', 'x'.repeat(3_000)]), strange(random, foreign));
  put(`member ${kind} ${name.slice(0, 20)}`);
};

const onBytes: Change = (random, draft, tree) => {
  const whole = Buffer.from(textOf(tree.root ?? null));
  const kind = random.below(10);
  const ways: readonly (() => Buffer)[] = [
    () => {
      draft.cutAt = random.below(whole.length);
      return whole;
    },
    () => whole.subarray(0, random.below(whole.length)),
    () => {
      draft.headers['content-encoding'] = 'gzip';
      return gzipSync(whole);
    },
    () => {
      draft.headers['content-encoding'] = 'gzip';
      return whole;
    },
    () => {
      draft.headers['content-type'] = 'application/x-www-form-urlencoded';
      return Buffer.from(new URLSearchParams({ body: whole.toString() }).toString());
    },
    () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), whole]),
    () => {
      const bytes = Buffer.from(whole);
      bytes[random.below(bytes.length)] = 0x80 + random.below(0x80);
      return bytes;
    },
    () => random.bytes(1 + random.below(400)),
    () =>
      Buffer.from(
        random.pick([
          '',
          ' ',
          '{',
          '[]',
          '"',
          'null',
          '{"a":1}{"b":2}',
          '//',
          '{"a":1,}',
          "{'a':1}",
          '['.repeat(60_000),
          `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
        ]),
      ),
    () => Buffer.concat([whole, Buffer.alloc(random.pick([70_000, 300_000, 1_100_000]), 0x20)]),
  ];
  draft.bytes = ways[kind]?.() ?? whole;
  draft.changes.push(`bytes ${kind}`);
};

const TWICE = '\u0001twice\u0001';
const RAW = '\u0001raw\u0001';

/** A value that no client sends there. */
function strange(random: Random, foreign: readonly string[]): Json {
  const deep = (levels: number): Json => {
    let value: Json = 1;
    for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
    return value;
  };
  return random.pick<() => Json>([
    () => null,
    () => true,
    () => random.pick([0, -1, 1, 1.5, 2 ** 53, 1e21, -1e-7]),
    () => [],
    () => ({}),
    () => [[]],
    () => ({ toString: 'x', length: -1 }),
    () => `${RAW}${random.pick(NUMBERS)}`,
    () => random.pick(TEXTS),
    () => random.pick(TEXTS),
    () => random.pick(foreign),
    () => random.pick(foreign),
    () => 'h'.repeat(random.pick([300, 5_000, 70_000])),
    () => deep(random.pick([5, 70, 900])),
    () => Array.from({ length: 500 }, () => 0),
    () => `${RAW}"${'\\ud800'.repeat(1 + random.below(5))}"`,
    () => `${RAW}"${'\\u0000'.repeat(3)}"`,
  ])();
}

/** Every member that has a name. */
function placesIn(value: Json | undefined): { readonly inside: object; readonly name: string }[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.keys(value).flatMap((name) => [{ inside: value, name }, ...placesIn((value as Record<string, Json>)[name])]);
}

/** A member also where its name is that of a prototype. */
function define(holder: object, name: string, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

/** JSON, with what JavaScript has no values for: numbers as they stand, names that come twice. */
function textOf(value: Json): string {
  if (typeof value === 'string' && value.startsWith(RAW)) return value.slice(RAW.length);
  // A list may have a `constructor` of its own by now.
  if (Array.isArray(value)) return `[${Array.from(value, textOf).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).map(
    (name) =>
      `${JSON.stringify(name.startsWith(TWICE) ? name.slice(TWICE.length) : name)}:${textOf((value as Record<string, Json>)[name] ?? null)}`,
  );
  return `{${members.join(',')}}`;
}
