/** The command line as a program of its own, for tests. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

import { PAYER_KEY } from './shop.ts';

/** The home of all runs of a file. */
export const home = mkdtempSync(join(tmpdir(), 'farebox-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));
let folders = 0;

/** The place of a budget that no run has used. */
export function newStore(): string {
  folders += 1;
  return join(home, String(folders), 'budget');
}

export type Run = { readonly code: number | null; readonly out: string; readonly err: string; readonly store: string };
type More = {
  readonly key?: string | undefined;
  readonly input?: string;
  readonly store?: string;
  /** For Node. */
  readonly flags?: readonly string[];
  /** Standard output, if not for the test. */
  readonly output?: number;
};

/** Runs it with a budget of its own unless one is named. */
export async function farebox(
  words: readonly string[],
  { key = PAYER_KEY, input = '', store = newStore(), flags = [], output }: More = {},
): Promise<Run> {
  const args = ['pay', 'look', 'resend', 'spent', 'unblock'].includes(words[0] ?? '') ? [...words, '--store', store] : words;
  const child = spawn(process.execPath, [...flags, 'pkg/dist/cli/main.js', ...args], {
    env: { PATH: process.env['PATH'], HOME: home, ...(key === '' ? {} : { FAREBOX_PRIVATE_KEY: key }) },
    stdio: ['pipe', output ?? 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (piece) => {
    out += piece;
  });
  child.stderr?.on('data', (piece) => {
    err += piece;
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  assert.ok(!`${out}${err}`.includes(PAYER_KEY.slice(4, 30)), 'the key is never seen');
  return { code, out, err, store };
}

/** Calls `then` with the body of a request as text. */
export function whenRead(request: IncomingMessage, then: (body: string) => void): void {
  request.setEncoding('utf8');
  let body = '';
  request.on('data', (piece) => {
    body += piece;
  });
  request.on('end', () => then(body));
}
