// Programs that stand in documents, in a project that has the package and nothing else.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Starts the program of a document that has these words, with what a reader writes in the place of names, and their own lines before it. */
export function startProgram(
  document: string,
  words: string,
  { names, before = '', key = '' }: { readonly names: Readonly<Record<string, string>>; readonly before?: string; readonly key?: string },
): { readonly child: ChildProcess; readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> } {
  const programs = [...readFileSync(document, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, program = '']) => program);
  const found = programs.filter((program) => program.includes(words));
  assert.equal(found.length, 1, `${document}: ${found.length} programs with ${words}`);
  const placed = Object.entries(names).reduce((text, [name, own]) => {
    assert.ok(text.includes(name), `${document}: the program has no ${name}`);
    return text.replaceAll(name, own);
  }, found[0]!);
  const folder = mkdtempSync(join(tmpdir(), 'farebox-program-'));
  writeFileSync(join(folder, 'program.mjs'), `${before}${placed}`);
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['pkg', 'mcp']) symlinkSync(resolve(name), join(folder, 'node_modules', name === 'pkg' ? 'farebox' : 'farebox-mcp'));
  const env = { PATH: process.env['PATH'], HOME: folder, FAREBOX_PRIVATE_KEY: key };
  const child = spawn(process.execPath, ['program.mjs'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    out += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    err += part;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((done) =>
    child.once('close', (code) => {
      rmSync(folder, { recursive: true, force: true });
      done({ code, out, err });
    }),
  );
  return { child, ended };
}
