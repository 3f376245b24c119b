// Challenges and credentials of MPP as text, read and written without any library: what tests compare the gate with.

import { createHmac } from 'node:crypto';

import { type Hex, keccak256, toBytes } from 'viem';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** The parameters of one challenge as they stand on the wire; `request` is never decoded and encoded again. */
export type Challenge = {
  readonly id: string;
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: string;
  readonly expires?: string;
  readonly digest?: string;
  readonly description?: string;
  readonly opaque?: string;
  readonly header?: string;
};

/** What an evm charge asks for. Spec: docs/protocols.md. */
export type ChargeRequest = {
  readonly amount: string;
  readonly currency: Hex;
  readonly recipient: Hex;
  readonly externalId?: string;
  readonly description?: string;
  readonly methodDetails: {
    readonly chainId: number;
    readonly decimals?: number;
    readonly credentialTypes?: readonly string[];
    readonly feePayer?: boolean;
    readonly splits?: readonly JsonObject[];
  };
};

/** Every Payment challenge of a `WWW-Authenticate` value; other schemes beside them are skipped. */
export function challengesIn(value: string): Challenge[] {
  const found: Record<string, string>[] = [];
  let current: Record<string, string> | undefined;
  for (const piece of piecesOf(value)) {
    const [, scheme, rest] = /^(?:([A-Za-z0-9-]+)(?:\s+|$))?(.*)$/s.exec(piece) ?? [];
    if (scheme !== undefined && !/^\s*=/.test(piece.slice(scheme.length))) {
      current = scheme.toLowerCase() === 'payment' ? {} : undefined;
      if (current !== undefined) found.push(current);
    }
    const [, name, quoted, token] = /^([A-Za-z0-9_-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|(\S*))$/s.exec((rest ?? '').trim()) ?? [];
    if (current === undefined || name === undefined) continue;
    if (name.toLowerCase() in current) throw new Error(`${name} stands twice in a challenge`);
    current[name.toLowerCase()] = quoted === undefined ? (token ?? '') : unescaped(quoted);
  }
  return found as unknown as Challenge[];
}

/** The one challenge of an answer. */
export function challengeOf(value: string | null | undefined): Challenge {
  const [challenge, ...others] = challengesIn(value ?? '');
  if (challenge === undefined || others.length > 0) throw new Error(`not one challenge: ${value}`);
  return challenge;
}

export function requestOf(challenge: Challenge): ChargeRequest {
  return JSON.parse(Buffer.from(challenge.request, 'base64url').toString('utf8')) as ChargeRequest;
}

/** A request as it stands in a challenge. */
export function requestText(request: object): string {
  return Buffer.from(canonical(request as Json)).toString('base64url');
}

/** RFC 8785, for objects whose numbers are safe integers. */
export function canonical(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one: Json) => canonical(one)).join(',')}]`;
  const members = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
}

/** How id and realm make a nonce: joined by nothing up to `mppx` 0.11, listed since 0.13. */
export const FRAMINGS = {
  joined: ({ id, realm }: Pick<Challenge, 'id' | 'realm'>): Hex => keccak256(toBytes(`${id}${realm}`)),
  listed: ({ id, realm }: Pick<Challenge, 'id' | 'realm'>): Hex => keccak256(toBytes(JSON.stringify([id, realm]))),
} as const;

export type Framing = keyof typeof FRAMINGS;

/** The id that somebody with this key gives a challenge. */
export function idOf(key: string | Buffer, challenge: Omit<Challenge, 'id'>): string {
  const { realm, method, intent, request, expires = '', digest = '', header, opaque = '' } = challenge;
  const slots = [realm, method, intent, request, expires, digest, ...(header === undefined ? [] : [header]), opaque];
  return createHmac('sha256', key).update(slots.join('|')).digest('base64url');
}

/** A credential as a header value. */
export function credential(message: object): string {
  return `Payment ${Buffer.from(JSON.stringify(message)).toString('base64url')}`;
}

export function credentialIn(value: string): JsonObject {
  const [, token = ''] = /^Payment +([A-Za-z0-9_-]+)$/.exec(value) ?? [];
  return JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as JsonObject;
}

export type Receipt = JsonObject & { method: string; status: string; timestamp: string; reference: string };

/** The receipt of an answer, decoded; `undefined` when there is none. */
export function receiptIn(value: string | null | undefined): Receipt | undefined {
  if (value === null || value === undefined) return undefined;
  return JSON.parse(Buffer.from(value, 'base64url').toString('utf8')) as Receipt;
}

/** The value cut at commas outside of quotes. */
function piecesOf(value: string): string[] {
  const pieces: string[] = [];
  let [start, quoted] = [0, false];
  for (let at = 0; at < value.length; at += 1) {
    const char = value[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === ',') {
      pieces.push(value.slice(start, at).trim());
      start = at + 1;
    }
  }
  pieces.push(value.slice(start).trim());
  return pieces.filter((piece) => piece !== '');
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, unit: string | undefined, char: string | undefined) =>
    unit === undefined ? (char ?? '') : String.fromCharCode(Number.parseInt(unit, 16)),
  );
}
