// The programs of others that the interop tests play with, and the version of each.

import { readFileSync } from 'node:fs';

import { root } from '../../scripts/steps.mjs';

type Runtime = 'node' | 'python' | 'rust';

export interface Program {
  /** As in the tables of docs/protocols.md. */
  readonly name: string;
  readonly runtime: Runtime;
  /** What its registry calls it. */
  readonly packet: string;
  /** The routes that it cannot pay: the gate refuses what it sends, and nothing is charged. */
  readonly refused?: 'before';
  /** The realm of its challenges as it is installed, if that is not the host. */
  readonly realm?: string;
  /** What starts it, after the runtime's own command, from the folder of the repository. */
  readonly words: readonly string[];
}

const python = (name: string, packet: string, file: string): Program => ({
  name,
  runtime: 'python',
  packet,
  words: ['-B', `tests/interop/python/${file}.py`],
});
const node = (name: string, packet: string, file: string, ...more: string[]): Program => ({
  name,
  runtime: 'node',
  packet,
  words: [`tests/interop/node/${file}.mjs`, ...more],
});
const rust = (name: string, packet: string, file: string, ...more: string[]): Program => ({
  name,
  runtime: 'rust',
  packet,
  words: [`target/interop/release/${file}`, ...more],
});

/** Clients that pay the gate. */
export const CLIENTS: readonly Program[] = [
  python('`x402` with httpx', 'x402', 'x402_httpx'),
  python('`x402` with requests', 'x402', 'x402_requests'),
  python('`pympp`', 'pympp', 'pympp'),
  node('`@faremeter/fetch`', '@faremeter/fetch', 'faremeter-client'),
  node('`x402-axios`', 'x402-axios', 'x402-axios-client'),
  rust('`x402-reqwest`', 'x402-reqwest', 'x402-reqwest-client'),
  // It leaves `extra.paymentFlow` out of the terms that it accepts.
  { ...rust('`r402`', 'r402', 'r402-client'), refused: 'before' },
];

/** Servers that the package pays. */
export const SERVERS: readonly Program[] = [
  python('`x402` in FastAPI', 'x402', 'fastapi_server'),
  python('`x402` in Flask', 'x402', 'flask_server'),
  { ...python('`pympp` in FastAPI', 'pympp', 'pympp_server'), realm: 'localhost' },
  node('`x402-express`', 'x402-express', 'x402-express-server'),
  node('`@faremeter/middleware` of version 1', '@faremeter/middleware', 'faremeter-server'),
  node('`@faremeter/middleware` of version 2', '@faremeter/middleware', 'faremeter-server', 'v2'),
  rust('`x402-axum` of version 1', 'x402-axum', 'x402-axum-server'),
  rust('`x402-axum` of version 2', 'x402-axum', 'x402-axum-server', 'v2'),
];

/** Clients of the repository's own package.json, which the other end-to-end tests use. */
export const INSTALLED = ['@x402/fetch', '@x402/axios', 'x402-fetch', 'mppx'] as const;

/** The line of each runtime's list that has a version. */
const LISTS: Record<Runtime, { readonly file: string; line(packet: string): RegExp }> = {
  python: { file: 'python/requirements.txt', line: (packet) => new RegExp(`^${packet}==(\\S+)$`, 'm') },
  node: { file: 'node/package.json', line: (packet) => new RegExp(`"${packet}": "([^"]+)"`) },
  rust: { file: 'rust/Cargo.toml', line: (packet) => new RegExp(`^${packet} = [^\\n]*"=([\\d.]+)"`, 'm') },
};

/** The version that is installed. */
export function versionOf({ runtime, packet }: Program): string {
  const { file, line } = LISTS[runtime];
  const found = line(packet).exec(readFileSync(`${root}/tests/interop/${file}`, 'utf8'))?.[1];
  if (found === undefined) throw new Error(`${file} has no version of ${packet}`);
  return found;
}
