/** The variables of the gate: from a file, and from the words of the command. */
import { readFileSync } from 'node:fs';

import { takesTokens, Usage } from 'farebox/command';
import { WORD_OF } from '../create/rules.js';
import { isSecret, isSet, NAMED_IN_FILES, SECRETS } from './secrets.js';

/** What the command says about the gate. */
export type Said = {
  readonly config?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'origin-network'?: string | undefined;
  readonly price?: readonly string[] | undefined;
  readonly 'pay-to'?: string | undefined;
  readonly network?: readonly string[] | undefined;
  readonly facilitator?: string | undefined;
  /** How that facilitator is asked, if it takes no request without a key. */
  readonly auth?: string | undefined;
  readonly rpc?: string | undefined;
};

/** The test network by its names, and its free facilitator: no money is at stake by default. */
const TEST = { network: 'eip155:84532', names: ['eip155:84532', 'base-sepolia'], facilitator: 'https://www.x402.org/facilitator' };

/** Secrets that the file of `--config` sets, a line each. Who wrote it would know them: the operator's token, or a key that passes unpaid. */
export function knownSecrets(said: Said): readonly string[] {
  const names = Object.keys(said.config === undefined ? {} : fileOf(said.config));
  return names
    .filter(isSecret)
    .map((name) => `--config: ${name} is a secret, which whoever wrote the file knows: take it out, and set it in the environment`);
}

/** Variables of the file of `--config` that an empty text of the environment takes away, a line each: nobody may have filled it in. */
export function takenAway(said: Said, environment: NodeJS.ProcessEnv): readonly string[] {
  const file = said.config === undefined ? {} : fileOf(said.config);
  const names = NAMED_IN_FILES.filter((name) => file[name] !== undefined && environment[name] === '' && !isSpoken(said, name));
  return names.map((name) => `${name} of --config is not used, because it is empty in the environment: set it there, or take it out`);
}

/** Whether a word of the command sets a variable: it wins over file and environment, where that name may be meant for another program. */
const isSpoken = (said: Said, name: string): boolean => said[WORD_OF[name] as keyof Said] !== undefined;

/** All variables as text; what is structured is JSON, which the gate reads. */
export function variables(said: Said, kept: Readonly<Record<string, string>>, environment: NodeJS.ProcessEnv): Record<string, string> {
  const vars = varsOf(said);
  // As it is judged here it goes to the gate.
  vars['FACILITATOR_URL'] = structured(vars['FACILITATOR_URL']);
  const bearers = bearersOf(vars['FACILITATOR_URL']);
  const outside = [...SECRETS, ...bearers].filter((name) => isSet(name, environment[name]) && !isSpoken(said, name));
  const fromOutside = Object.fromEntries(outside.map((name) => [name, environment[name]]));
  const all: Record<string, unknown> = { ...kept, ...vars, ...fromOutside };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));
}

/** The environment of a gate with money of this machine alone: whoever is told of real money there hears nothing of it. */
export const environmentOfPlay = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...environment,
  WEBHOOK_URL: undefined,
  WEBHOOK_SECRET: undefined,
});

/** Where the desk is, and which token opens it. */
export function deskLine(url: string, token: string | undefined, isOutside: boolean, file: string): string {
  if ((token ?? '') === '')
    return `it has no desk and answers no operator, because it has no OPERATOR_TOKEN: set one in the environment or in ${file}`;
  // What listens at one address of the network has none that is this machine's alone.
  const here = /^(?:0\.0\.0\.0|\[::\])$/.test(new URL(url).hostname) ? ', or over http on this machine' : '';
  const place = takesTokens(url) ? `${url}/_farebox/desk/` : `/_farebox/desk/ over https, by a proxy${here}`;
  return `its desk is ${place}, with OPERATOR_TOKEN of ${isOutside ? 'the environment' : file}`;
}

/** Names of tokens that a configuration may have sent to its facilitators: no other secret has such a name. */
export const BEARER = /^FACILITATOR_(?:[A-Z0-9_]+_)?TOKEN$/;

/** The tokens that the configuration names. It may be another person's file, and what it names here leaves for a URL of its choice. */
function bearersOf(facilitators: unknown): readonly string[] {
  const names = [facilitators].flat().flatMap((it) => {
    const name = (it as { auth?: { bearer?: unknown } } | null | undefined)?.auth?.bearer;
    return typeof name === 'string' ? [name] : [];
  });
  const other = names.find((name) => !BEARER.test(name));
  if (other === undefined) return names;
  const how = 'name it FACILITATOR_TOKEN or FACILITATOR_…_TOKEN in the file and in the environment, so that no other secret is sent';
  throw new Usage(`FACILITATOR_URL: "bearer" names ${JSON.stringify(other)}: ${how}`);
}

/** What a text is as JSON, as the gate reads it; else the text, also if it is the JSON of a text. */
function structured(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    const whole: unknown = JSON.parse(value);
    return typeof whole === 'object' ? whole : value;
  } catch {
    return value;
  }
}

/** The most times that `LEDGER_CLOSED_BEFORE` takes. */
const MAX_TIMES = 8;

/** The variables of a gate whose rows were put back from a copy at these times, unix seconds, the latest first. */
export function afterRestores(vars: Record<string, string>, times: readonly number[]): Record<string, string> {
  if (times.length === 0) return vars;
  const given = (vars['LEDGER_CLOSED_BEFORE'] ?? '').split(',').filter((text) => text !== '');
  // What is no time is for the gate's own rules to refuse.
  if (!given.every((text) => /^\d+$/.test(text.trim()))) return vars;
  const all = new Set([...times, ...given.map(Number)]);
  const latest = [...all].sort((one, other) => other - one).slice(0, MAX_TIMES);
  return { ...vars, LEDGER_CLOSED_BEFORE: latest.join(',') };
}

/** The most bytes that a process takes as one variable, with its name and what ends it. Spec: execve(2), MAX_ARG_STRLEN. */
const MOST_BYTES = 131_072;

/** Variables that no runtime can be started with, a line each. */
export function tooLong(vars: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(vars).flatMap(([name, value]) => {
    const [bytes, most] = [Buffer.byteLength(value), MOST_BYTES - Buffer.byteLength(name) - 2];
    return bytes <= most
      ? []
      : [`${name} has ${bytes} bytes, and a process takes at most ${most}: list fewer routes, or serve them by two gates`];
  });
}

/** What sets a variable, such as `ROUTES[1].price`, if no word does. */
export function sourceOf(said: Said, variable: string): string | undefined {
  const [, name = '', index] = /^(\w+)(?:\[(\d+)\])?/.exec(variable) ?? [];
  if (SECRETS.includes(name) && isSet(name, process.env[name]) && !isSpoken(said, name)) return 'the environment';
  const inFile = said.config === undefined ? undefined : varsOf({ config: said.config })[name];
  const isOfFile =
    name === 'ROUTES' && index !== undefined ? Number(index) < listOf(inFile).length : inFile !== undefined && !isSpoken(said, name);
  return isOfFile ? '--config' : undefined;
}

/** The variables that the words set, over those of a file. */
export function varsOf(said: Said): Record<string, unknown> {
  const vars: Record<string, unknown> = said.config === undefined ? {} : fileOf(said.config);
  if (said.origin !== undefined) vars['ORIGIN_URL'] = said.origin;
  if (said['origin-network'] !== undefined) vars['ORIGIN_NETWORK'] = said['origin-network'];
  if (said['pay-to'] !== undefined) vars['PAY_TO'] = said['pay-to'];
  if (said.network !== undefined) vars['NETWORK'] = said.network.length === 1 ? said.network[0] : said.network;
  if (said.facilitator !== undefined)
    vars['FACILITATOR_URL'] = said.auth === undefined ? said.facilitator : [{ url: said.facilitator, auth: said.auth }];
  if (said.rpc !== undefined) vars['RPC_URL'] = said.rpc;
  if (said.price !== undefined) vars['ROUTES'] = [...listOf(vars['ROUTES']), ...said.price.map(routeOf)];
  vars['NETWORK'] ??= TEST.network;
  if (TEST.names.includes(String(vars['NETWORK']))) vars['FACILITATOR_URL'] ??= TEST.facilitator;
  return vars;
}

/** The prices, under either of their names. */
export const tableOf = (vars: Readonly<Record<string, unknown>>): unknown => vars['ROUTES'] ?? vars['PROTECTED_PATTERNS'];

/** The variables without which no gate stands in front of a server, that are not set, and the words that set them. */
export function missing(vars: Readonly<Record<string, unknown>>): readonly { readonly name: string; readonly says: string }[] {
  return [
    ['ORIGIN_URL', '--origin http://localhost:3000'],
    ['PAY_TO', '--pay-to 0x…, the address that is paid'],
    ['ROUTES', "--price '/report=$0.01'"],
    ['FACILITATOR_URL', `--facilitator URL, which settles on ${String(vars['NETWORK'])}`],
  ]
    .filter(([name = '']) => (name === 'ROUTES' ? tableOf(vars) : vars[name]) === undefined)
    .map(([name = '', how]) => ({ name, says: `${name} is not set: ${how}` }));
}

/** Most routes that are listed at the start. */
const MOST_LISTED = 20;

/** What each route asks, a line each, as the gate has it: a shell may have read `$1` in a price as a word of its own. */
export function pricesOf(vars: Readonly<Record<string, unknown>>): readonly string[] {
  const routes = listOf(tableOf(vars)) as readonly Readonly<Record<'path' | 'pattern' | 'methods' | 'price', unknown>>[];
  const lines = routes.slice(0, MOST_LISTED).map(({ pattern, path = pattern, methods, price }) => {
    const before = Array.isArray(methods) ? `${methods.join(', ')} ` : '';
    return `  ${before}${String(path)}  ${typeof price === 'string' ? price : JSON.stringify(price)}`;
  });
  return routes.length > MOST_LISTED ? [...lines, `  and ${routes.length - MOST_LISTED} more`] : lines;
}

/** What is wrong, with the word in the place of the variable that it sets. */
export const inWords = (says: string): string =>
  says.startsWith('--config') ? says : says.replace('set ORIGIN_NETWORK = "private"', 'add --origin-network private');

/** The routes of a file, which may be JSON in a text. */
function listOf(value: unknown): unknown[] {
  const list = structured(value) ?? [];
  if (!Array.isArray(list)) throw new Usage('--config: ROUTES has to be a list of routes, also as JSON in a text');
  return list;
}

/** `/report=$0.01`, with a method before it if not all are meant: `GET /report=$0.01`. */
function routeOf(text: string): Record<string, unknown> {
  const [, method, path, price] = /^(?:([A-Z]+) )?(\/[^=]*)=(.+)$/.exec(text) ?? [];
  if (path === undefined) throw new Usage(`--price is not PATH=PRICE, such as '/report=$0.01': ${JSON.stringify(text)}${slipIn(text)}`);
  // In double quotes a shell reads `$0` itself: its own name stands there.
  if (/^-?[\w/]*sh\./.test(price ?? ''))
    throw new Usage(`--price asks ${price} for ${path}: put it into single quotes, such as '/report=$0.01'`);
  return { path, price, ...(method === undefined ? {} : { methods: [method] }) };
}

/** What may be meant by a price that cannot be read. */
function slipIn(text: string): string {
  const [before = ''] = text.split('/', 1);
  if (before.includes(',')) return ' names several methods: repeat --price for each';
  if (/^[A-Za-z]+ $/.test(before)) return /[a-z]/.test(before) ? ' has a method that is not in upper case' : ' has no price';
  return before === '' ? ' has no price' : ' has a path that does not begin with /';
}

function fileOf(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Usage(`--config cannot be read as JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Usage('--config has to be one JSON object of variables');
  return { ...value };
}
