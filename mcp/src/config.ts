/** The file that says whose wallet pays, how much, and who is asked. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';

import type { Policy } from 'farebox';

import { takesTokens } from '../../pkg/dist/operator/client.js';

/** An MCP server that is started as a program. */
export type ProgramConfig = {
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};
/** An MCP server that is reached over streamable HTTP; a header's value is text, or that of an environment variable. */
export type RemoteConfig = { readonly url: string; readonly headers?: Readonly<Record<string, string | { readonly env: string }>> };
/** How to reach another MCP server. */
export type ServerConfig = ProgramConfig | RemoteConfig;

/** Tools that are sold. */
export type SellConfig = {
  /** The MCP server that has them. */
  readonly server: ServerConfig;
  /** The gate, whose routes `/tools/<name>` have the prices. */
  readonly gate: string;
  /** Names of the tools that cost money; the others are passed on as they are. */
  readonly priced: readonly string[];
  /** Where the gate's requests come in: its `ORIGIN_URL` ["127.0.0.1:8403"]. */
  readonly listen?: string;
  /** Name of the environment variable with the gate's `ORIGIN_SECRET` ["ORIGIN_SECRET"]. */
  readonly secretEnv?: string;
};

/** A treasury that pays in the place of a wallet. */
export type TreasuryConfig = {
  /** Its address: https, or this machine. */
  readonly url: string;
  readonly organization: string;
  readonly agent: string;
  /** Name of the environment variable with the agent's key ["FAREBOX_AGENT_KEY"]. */
  readonly keyEnv?: string;
};

export type Config = {
  /** Where the private key is: an environment variable ["FAREBOX_PRIVATE_KEY"], or a file that only you can read. */
  readonly wallet?: { readonly keyEnv?: string; readonly keyFile?: string };
  /** Instead of `wallet`, `ask` and `servers`: a treasury, whose rules say what is paid, and which asks a person. Of `policy` it takes `hosts`. */
  readonly treasury?: TreasuryConfig;
  /** The rules of what may be paid; every field is in the README of `farebox`. */
  readonly policy?: Policy;
  /** `always`: a person agrees to each payment, through the host. `never`: the policy decides alone ["always"]. */
  readonly ask?: 'always' | 'never';
  /** Folder for the budget and for payments that were sent ["~/.farebox"]. */
  readonly folder?: string;
  /** Whether a fourth tool finds what is sold: at Coinbase's bazaar, or at that of a facilitator [false]. */
  readonly find?: boolean | { readonly facilitator: string };
  /** MCP servers whose tools are offered as `<name>__<tool>`, and paid for. */
  readonly servers?: Readonly<Record<string, ServerConfig>>;
  readonly sell?: SellConfig;
};

/** A setting that cannot be used. */
export class ConfigError extends Error {}

/** Reads the file. An unknown name is an error: it may be a misspelt limit. */
export function readConfig(path: string): Config & { readonly folder: string } {
  let value: unknown;
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof SyntaxError ? malformed(text, error) : ((error as NodeJS.ErrnoException).code ?? 'no such file');
    throw new ConfigError(`${path} cannot be read as JSON: ${why}`);
  }
  const twice = duplicateIn(text);
  // Of two limits the later one would count.
  if (twice !== undefined) throw new ConfigError(`${path} names ${JSON.stringify(shown(twice))} twice in one object`);
  const config = members(value, path, ['wallet', 'treasury', 'policy', 'ask', 'folder', 'find', 'servers', 'sell']) as Config;
  members(config.wallet ?? {}, 'wallet', ['keyEnv', 'keyFile']);
  members(config.policy ?? {}, 'policy');
  if (config.treasury !== undefined) checkTreasury(config);
  if (config.ask !== undefined && config.ask !== 'always' && config.ask !== 'never') throw new ConfigError('ask is "always" or "never"');
  if (config.find !== undefined) checkFind(config.find);
  for (const [name, server] of Object.entries(members(config.servers ?? {}, 'servers'))) {
    if (!/^[A-Za-z0-9-]{1,32}$/.test(name)) throw new ConfigError('the name of a server has 1 to 32 letters, digits and hyphens');
    checkServer(server, `servers.${name}`);
  }
  const names = Object.keys(config.servers ?? {}).map((name) => name.toLowerCase());
  // Both would be one host of the policy.
  if (new Set(names).size < names.length) throw new ConfigError('the names of two servers differ only by case');
  if (config.sell !== undefined) {
    const { server, gate, priced, listen } = members(config.sell, 'sell', ['server', 'gate', 'priced', 'listen', 'secretEnv']);
    checkServer(server, 'sell.server');
    if (typeof gate !== 'string' || !URL.canParse(gate)) throw new ConfigError('sell.gate is the URL of your gate');
    if (!Array.isArray(priced) || priced.length === 0 || !priced.every((name) => typeof name === 'string'))
      throw new ConfigError('sell.priced lists the names of tools');
    if (listen !== undefined) listenOf(listen);
  }
  const folder = placed(config.folder ?? join(homedir(), '.farebox'), path);
  return { ...config, folder };
}

/** Where JSON is malformed, if that is known; what stands there is not shown, as it may be a key. */
function malformed(text: string, { message }: SyntaxError): string {
  const at = /position (\d+)/.exec(message)?.[1];
  return at === undefined ? 'it is malformed' : `it is malformed in line ${text.slice(0, Number(at)).split('\n').length}`;
}

/** Checks the treasury, beside which nothing stands that would pay or limit here: it would be taken for a limit, and is none. */
function checkTreasury(config: Config): void {
  const { url, organization, agent, keyEnv = '' } = members(config.treasury, 'treasury', ['url', 'organization', 'agent', 'keyEnv']);
  const beside = (['wallet', 'ask', 'find', 'servers'] as const).find((name) => config[name] !== undefined);
  if (beside !== undefined)
    throw new ConfigError(
      `${beside} is of a wallet: beside treasury leave it out. The treasury's rules say what is paid, and when a person is asked`,
    );
  const other = Object.keys(config.policy ?? {}).find((name) => name !== 'hosts');
  if (other !== undefined)
    throw new ConfigError(`beside treasury, policy has hosts alone: put ${JSON.stringify(shown(other))} into the treasury's own policy`);
  if (typeof url !== 'string' || !takesTokens(url) || !/^[^?#@]+$/.test(url))
    throw new ConfigError('treasury.url is an https URL, or one of this machine, without a name, a query and a fragment');
  for (const [name, text] of Object.entries({ organization, agent }))
    if (typeof text !== 'string' || text === '') throw new ConfigError(`treasury.${name} is missing: the name that the treasury knows`);
  if (typeof keyEnv !== 'string') throw new ConfigError('treasury.keyEnv is the name of an environment variable');
}

/** Checks where a search is made: a model's words go there. */
function checkFind(find: unknown): void {
  if (typeof find === 'boolean') return;
  const { facilitator } = members(find, 'find', ['facilitator']);
  if (typeof facilitator !== 'string' || !takesTokens(facilitator))
    throw new ConfigError('find is true, or has the facilitator whose bazaar is asked: an https URL, or one of this machine');
}

function checkServer(server: unknown, place: string): void {
  if (typeof server === 'object' && server !== null && 'url' in server) {
    checkRemote(server, place);
    return;
  }
  const { command, args = [], env = {} } = members(server, place, ['command', 'args', 'env']);
  const areTexts = (list: unknown): boolean => Array.isArray(list) && list.every((it) => typeof it === 'string');
  if (typeof command !== 'string' || !areTexts(args)) throw new ConfigError(`${place} needs a command, and args as a list of texts`);
  if (!areTexts(Object.values(members(env, `${place}.env`)))) throw new ConfigError(`${place}.env has texts`);
}

function checkRemote(server: unknown, place: string): void {
  const { url, headers = {} } = members(server, place, ['url', 'headers']);
  // What goes along may be a secret.
  if (typeof url !== 'string' || !takesTokens(url)) throw new ConfigError(`${place}.url is an https URL, or one of this machine`);
  for (const [name, value] of Object.entries(members(headers, `${place}.headers`))) {
    if (!/^[\w-]{1,64}$/.test(name)) throw new ConfigError(`${place}.headers has the names of header fields`);
    if (typeof value === 'string') continue;
    if (typeof members(value, `${place}.headers.${name}`, ['env'])['env'] !== 'string')
      throw new ConfigError(`${place}.headers.${name} is text, or names an environment variable: { "env": "NAME" }`);
  }
}

/** The header fields of a remote server. */
export function headersOf({ headers = {} }: RemoteConfig, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const valued = Object.entries(headers).map(([name, value]): [string, string] => {
    const text = typeof value === 'string' ? value : env[value.env];
    if (text === undefined)
      throw new ConfigError(`the environment variable ${shown((value as { env: string }).env)} has no value for the header ${name}`);
    return [name, text];
  });
  return Object.fromEntries(valued);
}

/** Host and port of `listen`. */
export function listenOf(listen: unknown): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:]+\]|[^:\s/]+):(\d{1,5})$/.exec(typeof listen === 'string' ? listen : '') ?? [];
  if (host === '' || Number(port) > 65_535) throw new ConfigError('sell.listen is a host and a port, such as "127.0.0.1:8403"');
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** A name that stands twice in one object of a JSON text, which is well-formed. */
function duplicateIn(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const [token, key] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (key !== undefined) {
      const [name, names] = [JSON.parse(key) as string, open.at(-1)];
      if (names?.has(name)) return name;
      names?.add(name);
    }
  }
  return undefined;
}

function members(value: unknown, place: string, known?: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ConfigError(`${place} has to be an object`);
  const stranger = Object.keys(value).find((name) => known !== undefined && !known.includes(name));
  if (stranger !== undefined)
    throw new ConfigError(`${place} has an unknown member ${JSON.stringify(shown(stranger))}; there are ${known?.join(', ')}`);
  return value as Record<string, unknown>;
}

/** A name for an error, unless it may be a key that was put in its place. */
export function shown(name: unknown): string {
  return typeof name === 'string' && name.length <= 40 && !/[0-9a-fA-F]{24}/.test(name) ? name : 'that is not shown';
}

/** A path of the file, seen from the file. */
function placed(path: string, file: string): string {
  return isAbsolute(path) ? path : resolve(dirname(file), path);
}

/** The private key. It is never in the file itself, nor an argument. */
export function privateKey({ wallet = {} }: Config, file: string, env: NodeJS.ProcessEnv = process.env): string {
  const { keyFile, keyEnv = 'FAREBOX_PRIVATE_KEY' } = wallet;
  if (keyFile !== undefined) {
    const path = placed(keyFile, file);
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
      throw new ConfigError('others can read the file of the private key: chmod 600');
    return readFileSync(path, 'utf8').trim();
  }
  const key = env[keyEnv];
  if (key === undefined || key === '')
    throw new ConfigError(`the environment variable ${shown(keyEnv)} has no private key; set it, or name a wallet.keyFile`);
  return key;
}

/** The key of a treasury's agent. Anything else is sent nowhere: it may be the key of a wallet. */
export function agentKey({ keyEnv = 'FAREBOX_AGENT_KEY' }: TreasuryConfig, env: NodeJS.ProcessEnv = process.env): string {
  const key = env[keyEnv] ?? '';
  if (!/^fbk_[!-~]+$/.test(key))
    throw new ConfigError(
      `the environment variable ${shown(keyEnv)} has no key of an agent, which begins with fbk_; an operator makes one`,
    );
  return key;
}

/** The folder of this name, made if it is missing. */
export function folderOf({ folder }: { readonly folder: string }, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}
