/** A request, a policy and a key as the command line gives them. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { isObject, type Members } from '../members.js';
import type { Policy } from '../options.js';
import { Usage, type Words } from './words.js';

export type Asked = {
  readonly url: string;
  readonly init: {
    readonly method: string;
    readonly headers: [name: string, value: string][];
    readonly body?: string | Uint8Array<ArrayBuffer>;
  };
  readonly policy: Policy;
  readonly store: string;
};

/** The request, the policy and the folder of the budget. */
export function asked({ values, positionals }: Words): Asked {
  const [, url, ...others] = positionals;
  if (url === undefined) throw new Usage('the URL is missing');
  if (others.length > 0) throw new Usage('there is an argument after the URL; a key is never one, and a body follows -d');
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Usage('the URL has to begin with https:// or http://');
  const body = values.data === undefined ? undefined : dataOf(values.data);
  const headers = (values.header ?? []).map((line): [string, string] => {
    const at = line.indexOf(':');
    if (at < 1) throw new Usage("a header is written as -H 'Name: text'");
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  const method = values.method ?? (body === undefined ? 'GET' : 'POST');
  return { url, init: { method, headers, ...(body === undefined ? {} : { body }) }, policy: policyOf(values), store: storeOf({ values }) };
}

/** The folder of the budget. */
export const storeOf = ({ values }: Pick<Words, 'values'>): string => values.store ?? join(homedir(), '.farebox', 'budget');

/** The key of the payer. */
export function keyOf({ values }: Words): string {
  const file = values['key-file'];
  const key = file === undefined ? process.env['FAREBOX_PRIVATE_KEY'] : readText(file, 'the file of the key');
  if (key === undefined || key.trim() === '') throw new Usage('there is no key: set FAREBOX_PRIVATE_KEY, or pass --key-file FILE');
  return key;
}

/** A text argument; `-` is standard input. */
export function textOf(word: string): string {
  return word === '-' ? readText(0, 'standard input') : word;
}

function dataOf(word: string): string | Uint8Array<ArrayBuffer> {
  if (!word.startsWith('@')) return word;
  return Uint8Array.from(contentsOf(word === '@-' ? 0 : word.slice(1), 'the file of the body'));
}

/** How long a payment without an outcome is sent again: a gate that was killed at work knows its outcome after 70 seconds. */
const DEADLINE_SECS = 90;

/** The policy of the command. */
export function policyOf(values: Words['values']): Policy {
  const written = values.policy === undefined ? {} : objectOf(values.policy, 'the policy');
  const { max, 'per-day': perDay, network, 'pay-again': payAgain } = values;
  return {
    deadlineSecs: DEADLINE_SECS,
    ...written,
    ...(max === undefined ? {} : { perPayment: max }),
    ...(perDay === undefined ? {} : { perDay }),
    ...(network === undefined ? {} : { networks: network }),
    ...(payAgain === undefined ? {} : { payAgain }),
  };
}

/** The JSON object in a file, or with `-` in standard input. */
export function objectOf(file: string, what: string): Members {
  const text = readText(file === '-' ? 0 : file, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Usage(`${what} is no JSON: look at ${placeIn(text, (error as Error).message)}`);
  }
  if (!isObject(value)) throw new Usage(`${what} is no JSON object`);
  return value;
}

/** The place where a reader of JSON has stopped; its own words may have a part of the text, which may be a secret. */
function placeIn(text: string, why: string): string {
  const at = /position (\d+)/.exec(why)?.[1];
  const lines = text.slice(0, at === undefined ? text.length : Number(at)).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

function readText(file: string | number, what: string): string {
  return contentsOf(file, what).toString('utf8');
}

function contentsOf(file: string | number, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Usage(`${what} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}
