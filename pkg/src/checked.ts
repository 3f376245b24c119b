/** The options of a payer, read once. */
import { type FareboxError, memberOf, quietly, unusable } from './error.js';
import { isObject } from './members.js';
import { checkNames } from './names.js';
import type { PayOptions } from './options.js';
import { isStore } from './store.js';

/** The options, read once; those of the wrong type are reported when they are given, by name. */
export function checked(fetch: unknown, given: unknown): PayOptions {
  const wrong = (what: string): FareboxError => unusable('invalid_options', what, 'correct that option');
  if (typeof fetch !== 'function') throw wrong('fetch is not a function');
  if (typeof given !== 'object' || given === null) throw wrong('the options are no object with a signer');
  checkNames(given, OPTIONS);
  const options: Record<string, unknown> = {};
  for (const name of OPTIONS) {
    const value = quietly(
      () => (given as Readonly<Record<string, unknown>>)[name],
      () => wrong(`${name} cannot be read`),
    );
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['confirm', 'choose', 'broadcast', 'onEscalation', 'onPayment', 'onStep', 'now']) {
    if (options[name] !== undefined && typeof options[name] !== 'function') throw wrong(`${name} is not a function`);
  }
  for (const name of ['identifier', 'acceptPayment']) {
    if (options[name] !== undefined && typeof options[name] !== 'boolean') throw wrong(`${name} is neither true nor false`);
  }
  if (options['resume'] !== undefined && typeof memberOf(options['resume'], 'open') !== 'function')
    throw wrong('resume is not that of farebox/resume');
  const nodes = options['nodes'];
  if (nodes !== undefined && !(isObject(nodes) && Object.entries(nodes).every(isNode)))
    throw wrong("nodes is not an object of a node's URL for each network, such as eip155:8453");
  if (options['pin'] !== undefined && typeof options['pin'] !== 'string') throw wrong('pin is not text');
  if (options['timeoutMs'] !== undefined && !(Number(options['timeoutMs']) > 0)) throw wrong('timeoutMs is no number of milliseconds');
  if (options['store'] === null) delete options['store'];
  if (options['store'] !== undefined && !isStore(options['store'])) throw wrong('store has no read and replace');
  return options as PayOptions;
}

const OPTIONS = [
  'signer',
  'policy',
  'store',
  'confirm',
  'choose',
  'broadcast',
  'onEscalation',
  'onPayment',
  'onStep',
  'now',
  'pin',
  'timeoutMs',
  'nodes',
  'identifier',
  'acceptPayment',
  'resume',
] as const;

/** Whether this names a network and the URL of a node; one with a user's name would never be asked. */
function isNode([network, url]: [string, unknown]): boolean {
  if (!/^eip155:[1-9]\d*$/.test(network) || typeof url !== 'string' || !URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

/** A policy as text; one that is not plain data is reported like one that is not an object. */
export function policyText(policy: unknown): string {
  try {
    return (
      JSON.stringify(policy ?? {}, (_, value: unknown) => {
        // Omitting it would remove a cap that the caller meant to set.
        if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError('no data');
        return value;
      }) ?? ''
    );
  } catch {
    return '';
  }
}
