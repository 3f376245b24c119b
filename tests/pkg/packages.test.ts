// The packages as npm would publish them: one version, borders that no import crosses, and commands that come with the package that has them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { after, before, test } from 'node:test';

import typescript from 'typescript';

import { BROUGHT } from '../../pkg/dist/cli/brought.js';
import { COMMANDS } from '../../pkg/gate/dist/commands.js';
import { root } from '../../scripts/steps.mjs';
import { installedProject, packPackages, started, type Tarball, temporaryFolder } from './tarball.ts';

/** The folder of each package. */
const FOLDERS = {
  farebox: 'pkg',
  'farebox-gate': 'pkg/gate',
  'farebox-treasury': 'pkg/treasury',
  'farebox-market': 'pkg/market',
  'farebox-mcp': 'mcp',
  'create-farebox': 'create',
} as const;
/** Programs and libraries of a project: wrangler, and those of local money. */
const OF_PROJECT = /^(viem|wrangler|@x402\/)/;

const folder = temporaryFolder();
/** A project with every package that has a border in `pkg`. */
const installed = join(folder.path, 'installed');
let tarballs: Readonly<Record<string, Tarball>>;
before(async () => {
  tarballs = await packPackages(folder.path, ['gate', 'treasury', 'market']);
  await installedProject(installed, Object.values(tarballs), { 'package.json': '{"name":"installed","private":true}' });
});
after(() => folder.remove());

const manifestIn = (place: string): any => JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8'));
const textOf = (name: string, file: string): string => readFileSync(join(installed, 'node_modules', name, file), 'utf8');

/** The command line as that project has it, in another folder. */
function farebox(cwd: string, ...words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  mkdirSync(cwd, { recursive: true });
  const program = join(installed, 'node_modules/farebox/dist/cli/main.js');
  return spawnSync(process.execPath, [program, ...words], { cwd, encoding: 'utf8' });
}

test('all packages have the version of the crates, and depend on each other at exactly that', () => {
  const version = /^version = "(.*)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))?.[1];
  const { workspaces, version: own } = manifestIn('.');
  assert.deepEqual([...workspaces].sort(), Object.values(FOLDERS).sort());
  assert.equal(own, version);
  for (const [name, place] of Object.entries(FOLDERS)) {
    const { name: named, version: its, dependencies = {} } = manifestIn(place);
    assert.deepEqual([named, its], [name, version], place);
    for (const [other, range] of Object.entries(dependencies)) {
      assert.equal(range, version, `${name}: ${other}`);
      const before = workspaces.slice(0, workspaces.indexOf(place));
      assert.ok(before.includes(FOLDERS[other as keyof typeof FOLDERS]), `${name} is published before ${other}`);
    }
  }
  assert.ok(readFileSync(join(root, 'pkg/src/agent/version.ts'), 'utf8').includes(`fareboxVersion = '${version}'`));
});

/** The files and packages that a script or its types ask for; what stands in its texts is none. */
function askedBy(text: string): string[] {
  const beside = [...text.matchAll(/new URL\(\s*['"]([^'"]+)['"],\s*import\.meta\.url/g)].map(([, name = '']) => name);
  return [...typescript.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName), ...beside];
}
/** What is there without a package: a part of Node, of the Workers' platform, or of this package by a condition. */
const BUILT_IN = /^(node:|cloudflare:|#)/;

test('no import crosses the border of a package but by the name of one that it depends on', () => {
  for (const [name, { files }] of Object.entries(tarballs)) {
    const { dependencies = {} } = manifestIn(FOLDERS[name as keyof typeof FOLDERS]);
    const asked = files
      .filter((file) => /\.(js|d\.ts)$/.test(file))
      .flatMap((file) => askedBy(textOf(name, file)).map((what) => ({ file, what })));
    assert.ok(asked.length >= { farebox: 300, 'farebox-gate': 100 }[name]! || asked.length >= 1, `${name}: ${asked.length}`);
    for (const { file, what } of asked.filter((one) => !BUILT_IN.test(one.what))) {
      const isKnown = what.startsWith('.')
        ? files.includes(posix.join(dirname(file), what))
        : Object.hasOwn(dependencies, what.split('/')[0] ?? '') || OF_PROJECT.test(what);
      assert.ok(isKnown, `${name}/${file} asks for ${what}`);
    }
  }
});

test('who only pays installs no Worker, no page and no check, and as little as tests/sizes.json says', () => {
  const files = tarballs['farebox']!.files;
  const roots = [...new Set(files.map((file) => file.split('/')[0]))].sort();
  assert.deepEqual(roots, [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'agent-wasm',
    'cards-wasm',
    'channels-wasm',
    'dist',
    'jobs-wasm',
    'package.json',
    'schemas',
    'wasm',
  ]);
  for (const file of files) assert.doesNotMatch(file, /^dist\/(serve|create|pages)\/|\.html$|worker\//);
  const bytes = files.reduce((sum, file) => sum + statSync(join(installed, 'node_modules/farebox', file)).size, 0);
  const { unpacked_bytes: most } = JSON.parse(readFileSync(join(root, 'tests/sizes.json'), 'utf8'))['npm package farebox'];
  assert.ok(bytes > most / 2 && bytes <= most, `${bytes} bytes, at most ${most}`);
});

test('no compiled part names a folder of the machine that built it', () => {
  const named: string[] = [];
  for (const [name, { files }] of Object.entries(tarballs)) {
    const parts = files.filter((file) => file.endsWith('.wasm'));
    assert.ok(parts.length >= { farebox: 5, 'farebox-gate': 3 }[name]! || parts.length === 1, `${name}: ${parts.join(' ')}`);
    for (const part of parts) {
      const text = readFileSync(join(installed, 'node_modules', name, part), 'latin1');
      // Rust names its own library, and what that depends on, alike for everybody.
      for (const [path] of text.matchAll(/[\w./-]*\/[\w./-]+\.rs\b/g)) {
        if (!/^(\/rustc\/[0-9a-f]{40}|\/rust\/deps|crates|src)\//.test(path)) named.push(`${name}/${part}: ${path}`);
      }
      for (const place of [homedir(), root]) assert.ok(!text.includes(place), `${name}/${part}: ${place}`);
    }
  }
  assert.deepEqual(named, []);
});

test('each Worker has its package, whose types stand alone', async () => {
  writeFileSync(
    join(installed, 'main.mts'),
    `import gate, { Channel, Ledger } from 'farebox-gate';
import { create } from 'farebox-gate/create';
import market, { Exchange, Skills } from 'farebox-market';
import treasury, { Treasury } from 'farebox-treasury';
export const made: Promise<number> = create([], 'npm create farebox');
export { Channel, Exchange, gate, Ledger, market, Skills, Treasury, treasury };`,
  );
  const words = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom', 'main.mts'];
  await started(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...words], installed);
});

test('the command line knows the commands that the gate brings', () => {
  assert.deepEqual([...BROUGHT].sort(), Object.keys(COMMANDS).sort());
});

test('a command whose package is not installed names it in one line, and one that is beside it or in the project runs', async () => {
  const payer = join(folder.path, 'payer');
  await installedProject(payer, tarballs['farebox']!, { 'package.json': '{"name":"payer","private":true}' });
  const alone = (cwd: string, ...words: readonly string[]) =>
    spawnSync(process.execPath, [join(payer, 'node_modules/farebox/dist/cli/main.js'), ...words], { cwd, encoding: 'utf8' });
  const elsewhere = join(folder.path, 'elsewhere');
  mkdirSync(elsewhere);
  for (const name of BROUGHT) {
    const { status, stdout, stderr } = alone(elsewhere, name);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(
      stderr,
      new RegExp(
        `^farebox: ${name} comes with the package farebox-gate, which is not installed here: npm install .*/farebox-gate-[\\d.]+\\.tgz\\n$`,
      ),
    );
    assert.equal(farebox(elsewhere, name, '--help').status, 0, name);
  }
  // The project has it, and the program that is called does not.
  assert.match(alone(installed, 'serve', '--help').stdout, /^farebox serve: /);
});

//
test('a command of another version is not run, nor one of this folder in the place of that beside the program', () => {
  const other = join(folder.path, 'other');
  const place = join(other, 'node_modules/farebox-gate');
  mkdirSync(join(place, 'dist'), { recursive: true });
  writeFileSync(join(place, 'package.json'), '{"name":"farebox-gate","version":"9.9.9"}');
  writeFileSync(join(place, 'dist/commands.js'), 'process.stdout.write("ran");');
  const payer = join(folder.path, 'payer/node_modules/farebox/dist/cli/main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [payer, 'serve'], { cwd: other, encoding: 'utf8' });
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(
    stderr,
    /^farebox: serve comes with the package farebox-gate of the same version, and here it is 9\.9\.9 beside [\d.]+: npm install .*\n$/,
  );
  // What is beside the program wins: a folder of somebody else runs nothing.
  assert.match(farebox(other, 'serve', '--help').stdout, /^farebox serve: /);
});

test('the gate alone brings the command line, for npm and for npx', async () => {
  const project = join(folder.path, 'by-name');
  const { path } = tarballs['farebox']!;
  const manifest = { name: 'by-name', private: true, overrides: { farebox: `file:${path}` } };
  await installedProject(project, tarballs['farebox-gate']!, { 'package.json': JSON.stringify(manifest) });
  const { stdout } = await started('npx', ['--no', 'farebox', 'serve', '--help'], project);
  assert.match(stdout, /^farebox serve: /);
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')).dependencies), ['farebox-gate']);

  const empty = join(folder.path, 'empty');
  mkdirSync(empty);
  const packages = [path, tarballs['farebox-gate']!.path].flatMap((file) => ['--package', file]);
  const env = { ...process.env, npm_config_cache: join(folder.path, 'cache') };
  const { stdout: fetched } = await started('npx', ['--yes', '--offline', ...packages, 'farebox', 'serve', '--help'], empty, env);
  assert.match(fetched, /^farebox serve: /);
});

test('what `npm run pack` prints installs, for each kind of reader', async () => {
  const { stdout } = await started(process.execPath, ['scripts/pack.mjs', '--no-build'], root);
  const lines = [...stdout.matchAll(/^ {4}npm install (.*)$/gm)].map(([, files = '']) =>
    files.split(' ').filter((file) => file !== 'workerd'),
  );
  assert.equal(lines.length, 6);
  for (const files of lines) {
    const names = files.map((file) => /\/([a-z-]+)-\d/.exec(file)?.[1] ?? '');
    const needed = names.flatMap((name) => Object.keys(manifestIn(FOLDERS[name as keyof typeof FOLDERS]).dependencies ?? {}));
    assert.deepEqual(
      needed.filter((name) => !names.includes(name)),
      [],
      'nothing is left to be fetched by its name',
    );
    for (const file of files) assert.ok(statSync(file).size > 1_000, file);
  }
});

test('the packages of this repository find each other as installed ones do', () => {
  const elsewhere = join(folder.path, 'clone');
  mkdirSync(join(elsewhere, 'node_modules'), { recursive: true });
  symlinkSync(join(root, 'pkg'), join(elsewhere, 'node_modules/farebox'));
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'pkg/dist/cli/main.js'), 'backup', '--help'], {
    cwd: elsewhere,
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  assert.match(stdout, /^farebox backup, /);
});
