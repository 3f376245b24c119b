// Plays an example as its README says: copied out of the repository, installed, and run by the README's own commands.
//
// A fenced `sh` block is a terminal, and the `text` block after it is what it prints, where `…` stands for anything. A block that goes on
// (a server) is over once it has printed that. Each port of an example is another one here, so that two can be played at once.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

import { createPublicClient, erc20Abi, http } from 'viem';

import { USDC } from '../../demo/chain.mjs';
import { freePort } from '../../demo/server.mjs';
import { type Child, startProcess } from '../../scripts/processes.mjs';
import { root } from '../../scripts/steps.mjs';
import { assertNoRust, packPackages, started, type Tarball, temporaryFolder } from './tarball.ts';

/** Who is paid with local money where no address is named: an account of anvil's phrase. */
export const NOBODY = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
/** Who is paid by the configurations of the examples. */
export const DEAD = '0x000000000000000000000000000000000000dEaD';
const CENT = 10_000n;

/** What the gate, the chain and the tools of the examples listen on. */
const PORTS = /\b(?:3000|8402|8403|8787)\b/g;
/** Commands that listen on one of them unless they are told otherwise. */
const LISTENING = [
  [/\bfarebox serve\b/g, 'farebox serve --port 8402'],
  [/\bfarebox dev\b/g, 'farebox dev --port 8787'],
] as const;
/** The longest that a block may take: npm may have to fetch what it installs. */
const BLOCK_MS = 180_000;
/** What a terminal shows in colour. */
const COLOUR = /\u001b\[[\d;]*m/g;

/** A terminal of a document. */
export interface Block {
  readonly commands: string;
  readonly prints: string | undefined;
}

export interface Examples {
  /** Runs the README of an example to its last block, and then `check`. */
  play(context: TestContext, name: string, check: (played: Played) => Promise<void>): Promise<void>;
  remove(): void;
}

/** An example whose last block has ended, and whose servers go on. */
export interface Played {
  readonly folder: string;
  /** What each block wrote. */
  readonly wrote: readonly string[];
  /** The gate's address. */
  readonly gate: string;
  /** What an address was paid on the chain, payment by payment. */
  paidTo(address: string): Promise<readonly bigint[]>;
}

/** Packs the packages, and installs once what most examples share, in the versions of this repository. */
export async function prepareExamples(shared: readonly string[]): Promise<Examples> {
  const folder = temporaryFolder();
  const tarballs = await packPackages(folder.path, ['gate', 'mcp']);
  const { devDependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const known: Record<string, string> = { ...devDependencies, ...optionalDependencies };
  const anvil = Object.keys(optionalDependencies).filter((name) => existsSync(join(root, 'node_modules', name)));
  const base = join(folder.path, 'base');
  mkdirSync(base);
  writeFileSync(join(base, 'package.json'), '{"name":"base","private":true}');
  const names = [...shared, ...anvil].map((name) => `${name}@${known[name]}`);
  const env = environment(folder.path);
  await started('npm', ['install', tarballs['farebox']!.path, tarballs['farebox-gate']!.path, ...names], base, env);
  return {
    async play(context, name, check) {
      assertNoRust(env);
      const at = join(folder.path, name);
      cpSync(join(root, 'examples', name), at, { recursive: true, filter: isOwn });
      // Node's own copy takes ten times as long, and links less than any.
      await started('cp', [process.platform === 'linux' ? '-al' : '-a', join(base, 'node_modules'), at], folder.path);
      await movePorts(at);
      const shell = new Shell(context, env);
      try {
        for (const { commands, prints } of blocksOfReadme(join(at, 'README.md')))
          await shell.run({ commands: installing(commands, at, tarballs), prints }, at);
        await shell.last();
        await check(playedIn(at, shell.wrote));
        shell.assertNoneFailed();
      } finally {
        await shell.end();
      }
      removed(at);
    },
    remove: () => removed(folder.path),
  };
}

/** The packages as they were packed, in the place of the files that the README names: all of its own, and no other. */
function installing(commands: string, at: string, tarballs: Readonly<Record<string, Tarball>>): string {
  if (!/^npm install /m.test(commands)) return commands;
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  const needed = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => tarballs[name] !== undefined);
  const named = [...commands.matchAll(/\/path\/to\/([a-z-]+)-\d+\.\d+\.\d+\.tgz/g)].map(([, name = '']) => name);
  assert.deepEqual([...named].sort(), needed.sort(), commands);
  return commands.replace(/\/path\/to\/([a-z-]+)-\d+\.\d+\.\d+\.tgz/g, (_, name: string) => tarballs[name]!.path);
}

/** Removes a folder, for which nobody waits: tens of thousands of files take a busy disk a minute. */
export function removed(path: string): void {
  spawn('rm', ['-rf', path], { detached: true, stdio: 'ignore' }).unref();
}

/** A PATH with Node, Python and the system and without Rust, a home of its own, and the caches of the real one. */
export function environment(home: string): NodeJS.ProcessEnv {
  // What npm tells its scripts is about this project, not about an example; and no key of anybody's is needed.
  const own = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_TEST_CONTEXT$|FAREBOX_PRIVATE_KEY$)/i.test(name)),
  );
  return {
    ...own,
    PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
    HOME: home,
    npm_config_cache: process.env.npm_config_cache ?? join(homedir(), '.npm'),
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    PIP_CACHE_DIR: process.env.PIP_CACHE_DIR ?? join(homedir(), '.cache', 'pip'),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    CI: '1',
    WRANGLER_SEND_METRICS: 'false',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    NEXT_TELEMETRY_DISABLED: '1',
  };
}

/** What a reader copies of an example: nothing that was installed, built or written while it ran. */
const isOwn = (path: string): boolean =>
  !/[\\/](?:node_modules|__pycache__|\.venv|\.next|\.wrangler|\.site|\.dev\.vars|\.farebox-[^\\/]*)(?:[\\/]|$)/.test(path);

/** Its own files. */
export function filesOf(at: string): readonly string[] {
  const entries = readdirSync(at, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map(({ parentPath, name }) => join(parentPath, name)).filter(isOwn);
}

/** Gives an example ports that are free, in all of its files. */
async function movePorts(at: string): Promise<void> {
  const ports = new Map<string, string>();
  for (const path of filesOf(at)) writeFileSync(path, await onFreePorts(readFileSync(path, 'utf8'), ports));
}

/** A text with ports that are free, which `ports` remembers. */
export async function onFreePorts(text: string, ports: Map<string, string>): Promise<string> {
  const told = LISTENING.reduce((before, [from, to]) => before.replace(from, to), text);
  for (const [port] of told.matchAll(PORTS)) if (!ports.has(port)) ports.set(port, String(await freePort()));
  return told.replace(PORTS, (port) => ports.get(port)!);
}

function blocksOfReadme(readme: string): readonly Block[] {
  const text = readFileSync(readme, 'utf8');
  assert.ok(text.split('\n').length <= 41, `${readme} has more than 40 lines`);
  return blocksOf(text);
}

/** The blocks that a reader types, each with what is said to be printed. */
export function blocksOf(text: string): readonly Block[] {
  const blocks = [...text.matchAll(/^ *```sh\n(.*?)^ *```\n(?:\n*(?:[^\n`]+\n)?\n*```text\n(.*?)^```)?/gms)];
  return blocks.map(([, commands = '', prints]) => ({ commands, prints }));
}

/** Lines in their order, with anything between them. */
function patternOf(prints: string): RegExp {
  const lines = prints.split('\n').filter((line) => !/^[\s…]*$/.test(line));
  return new RegExp(lines.map((line) => `^[ \\t]*${line.trim().split('…').map(escaped).join('[^\\n]*')}`).join('[^]*?'), 'm');
}
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

export interface Sale {
  readonly path: string;
  /** The route that has the price, if it is of more than that path. */
  readonly route?: string;
  readonly method?: string;
  readonly payee: string;
  /** The operator's. */
  readonly token: string;
  /** In atomic units, if it is no cent. */
  readonly price?: bigint;
}

/** One payment on the chain, one in the gate's books, and nothing for who does not pay. */
export async function soldOnce(
  { gate, paidTo }: Played,
  { path, route: sold = path, method = 'GET', payee, token, price = CENT }: Sale,
): Promise<void> {
  assert.deepEqual(await paidTo(payee), [price]);
  const unpaid = await fetch(`${gate}${path}`, { method });
  assert.deepEqual([unpaid.status, unpaid.headers.has('payment-required')], [402, true]);
  const books = await fetch(`${gate}/_farebox/payments`, { headers: { authorization: `Bearer ${token}` } });
  const { items } = (await books.json()) as { items: { state: string; route: string; amount: string }[] };
  assert.deepEqual(
    items.map(({ state, route, amount }) => [state, route, amount]),
    [['delivered', sold, String(price)]],
  );
}

/** The operator's token of `farebox serve --local`. */
export const served = (folder: string): string =>
  JSON.parse(readFileSync(join(folder, '.farebox-local/secrets.json'), 'utf8')).OPERATOR_TOKEN;
/** And of `farebox dev`. */
export const developed = (folder: string): string =>
  /^OPERATOR_TOKEN=(.*)$/m.exec(readFileSync(join(folder, '.dev.vars'), 'utf8'))?.[1] ?? '';

export interface Running {
  readonly commands: string;
  readonly child: Child;
  wrote: string;
  code?: number;
}

/** The terminals of one reader. */
export class Shell {
  readonly #running: Running[] = [];
  readonly #context: TestContext;
  readonly #env: NodeJS.ProcessEnv;

  constructor(context: TestContext, env: NodeJS.ProcessEnv) {
    this.#context = context;
    this.#env = env;
  }

  get wrote(): readonly string[] {
    return this.#running.map(({ wrote }) => wrote);
  }

  /** Runs a block until it has printed what the document says, or else to its end. */
  async run({ commands, prints }: Block, at: string): Promise<Running> {
    const began = Date.now();
    const pattern = prints === undefined ? undefined : patternOf(prints);
    const running = await new Promise<Running>((resolve) => {
      const show = () => (part: string) => {
        started.wrote += part.replace(COLOUR, '');
        if (pattern?.test(started.wrote)) resolve(started);
      };
      const child = startProcess('sh', ['-e', '-c', commands], { cwd: at, env: this.#env, show });
      const started: Running = { commands, child, wrote: '' };
      this.#running.push(started);
      const limit = setTimeout(() => resolve(started), BLOCK_MS);
      void child.exited.then((code) => {
        clearTimeout(limit);
        started.code = code;
        resolve(started);
      });
    });
    this.#context.diagnostic(`${((Date.now() - began) / 1000).toFixed(1)} s: ${commands.trim().replaceAll('\n', '; ')}`);
    this.assertNoneFailed();
    if (pattern !== undefined) assert.match(running.wrote, pattern, commands);
    else assert.equal(running.code, 0, `${commands}goes on, and the document does not say what it prints:\n${running.wrote}`);
    return running;
  }

  /** The end of the last block: it is no server. */
  async last(): Promise<void> {
    await this.#running.at(-1)?.child.exited;
    this.assertNoneFailed();
  }

  assertNoneFailed(): void {
    for (const { commands, code, wrote } of this.#running) assert.equal(code ?? 0, 0, `${commands}ended with ${code}:\n${wrote}`);
  }

  /** Ends one that goes on, as Ctrl-C does. */
  async stop(running: Running): Promise<void> {
    this.#running.splice(this.#running.indexOf(running), 1);
    await running.child.stop();
  }

  async end(): Promise<void> {
    for (const { child } of [...this.#running].reverse()) await child.stop();
  }
}

function playedIn(folder: string, wrote: readonly string[]): Played {
  const all = wrote.join('\n');
  const gate = /^ *(?:gate +)?(http:\/\/127\.0\.0\.1:\d+)(?: asks for payment|$)/m.exec(all)?.[1] ?? '';
  const rpc = /(?:the chain is|RPC_URL) +(http:\/\/127\.0\.0\.1:\d+)/.exec(all)?.[1] ?? '';
  const chain = createPublicClient({ transport: http(rpc) });
  return {
    folder,
    wrote,
    gate,
    async paidTo(address) {
      const to = address as `0x${string}`;
      const events = await chain.getContractEvents({ address: USDC, abi: erc20Abi, eventName: 'Transfer', args: { to }, fromBlock: 0n });
      return events.map(({ args }) => args.value ?? 0n);
    },
  };
}
