/** The commands of a fresh clone: one that installs packages loads none before. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';

const SCRIPTS = join(import.meta.dirname, '../../scripts');
const IMPORT = /^(?:import|export)\s(?:[^;]*?\sfrom\s)?'([^']+)';/gm;

/** What a module and all that it loads take from packages, each as `MODULE: PACKAGE`. */
function packagesOf(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap(([, name = '']) => {
    if (name.startsWith('.')) return packagesOf(join(dirname(file), name), seen);
    return name.startsWith('node:') ? [] : [`${relative(SCRIPTS, file)}: ${name}`];
  });
}

describe('the commands of a fresh clone', () => {
  const files = readdirSync(SCRIPTS).filter((name) => name.endsWith('.mjs'));
  const installing = [
    'setup.mjs',
    ...files.filter((name) => /^import .* from '\.\/setup\.mjs';$/m.test(readFileSync(join(SCRIPTS, name), 'utf8'))),
  ];

  it('load no package before they have installed it', () => {
    for (const name of ['test.mjs', 'demo.mjs', 'fuzz.mjs', 'setup.mjs']) assert.ok(installing.includes(name), name);
    for (const name of installing) assert.deepEqual(packagesOf(join(SCRIPTS, name)), [], name);
  });

  it('are seen to load one', () => {
    assert.ok(packagesOf(join(SCRIPTS, 'inspector.mjs')).includes('inspector.mjs: undici'));
  });
});
