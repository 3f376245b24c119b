// `farebox serve` in front of an origin, with a real facilitator and chain behind it.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { root } from '../../scripts/steps.mjs';

export const PROGRAM = join(root, 'pkg/dist/cli/main.js');

/** The answer that opens a WebSocket. Spec: RFC 6455, 4.2.2. */
export function openingWebSocket(key: string | undefined): string {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** The running program. */
export interface Served {
  /** Where it listens. */
  url: string;
  child: ChildProcess;
  ended: Promise<number | null>;
  wrote: () => string;
}

export interface ServeWorld {
  chain: Chain;
  /** The folder of rows and secrets. */
  state: string;
  /** Who settles. */
  facilitatorUrl: string;
  /** Runs the command, with these words and this environment too, and lets it open only so many files. */
  serving(more?: string[], env?: Readonly<Record<string, string>>, files?: number): Promise<Served>;
  /** What the audit counts too much or too little, by asset. */
  auditOf(url: string): Promise<string[]>;
  stop(): Promise<void>;
}

export interface ServeOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** How many files it may open. */
  readonly files?: number;
  /** Told of the process at once. */
  began?(child: ChildProcess): unknown;
}

/** Runs the command until it serves, or has ended. */
export async function startServe(words: readonly string[], { env = {}, files, began }: ServeOptions = {}): Promise<Served> {
  const command = [process.execPath, PROGRAM, 'serve', ...words];
  const [program = '', ...rest] = files === undefined ? command : ['sh', '-c', `ulimit -n ${files} && exec "$@"`, 'sh', ...command];
  const child = spawn(program, rest, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...env },
    // A group of its own, as a terminal gives it.
    detached: true,
  });
  began?.(child);
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = await new Promise<string>((resolve) => {
    child.stderr!.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const found = /(http:\/\/127\.0\.0\.1:\d+) asks for payment/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => resolve(''));
  });
  return { url, child, ended, wrote: () => text };
}

/** The runtime that reads the rows of a folder that is served. */
export function runtimeOf(state: string): number {
  const mark = readdirSync(state).find((name) => name.startsWith('served-by-')) ?? '';
  return (JSON.parse(readFileSync(join(state, mark), 'utf8')) as { pid: number }).pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts all but the program; `paths` cost a cent. */
export async function startServeWorld(origin: string, paths: readonly string[]): Promise<ServeWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-serve-'));
  const state = join(folder, 'state');
  const children = new Set<ChildProcess>();
  const chain = await startChain();
  const facilitator = await startFacilitator({ chain });
  const words = ['--origin', origin, '--pay-to', chain.accounts.payee.address, '--facilitator', facilitator.url, '--rpc', chain.url];
  const prices = paths.flatMap((path) => ['--price', `${path}=$0.01`]);
  return {
    chain,
    state,
    facilitatorUrl: facilitator.url,
    serving: (more = [], env = {}, files) =>
      startServe([...words, ...prices, '--state', state, '--port', '0', ...more], {
        env,
        ...(files === undefined ? {} : { files }),
        began: (child) => children.add(child),
      }),
    async auditOf(url) {
      const { OPERATOR_TOKEN } = JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8')) as { OPERATOR_TOKEN: string };
      const response = await fetch(`${url}/_farebox/audit`, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
      return [...(await response.text()).matchAll(/"difference":"(-?\d+)"/g)].map(([, difference]) => difference ?? '');
    },
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      // The runtime of a killed program goes on until the next one comes.
      for (const mark of (existsSync(state) ? readdirSync(state) : []).filter((name) => name.startsWith('served-by-'))) {
        const { pid } = JSON.parse(readFileSync(join(state, mark), 'utf8') || '{}') as { pid?: number };
        if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
      }
      await facilitator.stop();
      await chain.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
