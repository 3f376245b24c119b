// `npx farebox check` in a project that has the package and nothing of this repository.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { root } from '../../scripts/steps.mjs';
import { settingsOf, tomlOf } from '../configuration/table.ts';
import { installedProject, packPackages, temporaryFolder } from './tarball.ts';

const folder = temporaryFolder();
const project = join(folder.path, 'gate');
const wrangler = join(project, 'node_modules', 'wrangler');
before(async () => {
  await installedProject(project, Object.values(await packPackages(folder.path, ['gate'])), {
    'package.json': JSON.stringify({ name: 'gate', private: true }),
    'index.js': "export { default, Ledger } from 'farebox-gate';\n",
  });
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  symlinkSync(join(root, 'node_modules', 'wrangler'), wrangler);
});
after(() => folder.remove());

/** Runs the installed command on a file with these contents. */
function checked(text: string, ...words: string[]): { status: number | null; stdout: string; stderr: string } {
  writeFileSync(join(project, 'wrangler.toml'), text);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_TEST_CONTEXT$|NODE_OPTIONS$)/i.test(name)));
  const { status, stdout, stderr } = spawnSync('npx', ['--offline', 'farebox', 'check', '--offline', ...words], {
    cwd: project,
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr: stderr.replace(/^npm warn .*\n/gm, '') };
}

const { vars } = settingsOf({});
const SECRETS = ['GATE_SECRET', 'LEDGER_SALT'].map(
  (name) => `note: ${name} is a secret; \`wrangler secret put ${name}\` if it is not there yet`,
);

test('a good file has no errors, and the secrets to set are named', () => {
  assert.deepEqual(checked(tomlOf(vars)), {
    status: 0,
    stdout: `${[...SECRETS, 'wrangler.toml: 0 errors, 0 warnings'].join('\n')}\n`,
    stderr: '',
  });
});

test('a broken file is told by line and column, in the words that this repository uses', () => {
  const text = `${tomlOf({ ...vars, DEFAULT: 'allow', ROUTES: [{ path: '/a', price: 0.01 }] })}ORIGIN_URI = "x"\n`;
  const line = (part: string): number => text.split('\n').findIndex((one) => one.includes(part)) + 1;
  const { status, stdout, stderr } = checked(text);
  assert.deepEqual([status, stderr], [1, '']);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    `wrangler.toml:${line('"/a"')}:20 ROUTES[0].price: must be text, so that no digit is lost; write "$0.01"`,
    `wrangler.toml:${line('DEFAULT')}:1 DEFAULT: must be "free" or "deny"`,
    `wrangler.toml:${line('ORIGIN_URI')}:1 warning: ORIGIN_URI: is not read; did you mean ORIGIN_URL?`,
    ...SECRETS,
    'wrangler.toml: 2 errors, 1 warning',
  ]);
});

test('its help says how it is called here', () => {
  const { status, stdout } = checked('', '--help');
  assert.equal(status, 0);
  assert.ok(stdout.includes('\n  npx farebox check [--env NAME] '), stdout);
});

test('without wrangler it says what to install', () => {
  rmSync(wrangler);
  const { status, stdout, stderr } = checked(tomlOf(vars));
  assert.deepEqual([status, stdout], [2, '']);
  assert.equal(
    stderr,
    'wrangler is not installed here, and it alone knows what its file means: run `npm install --save-dev wrangler`, then this again\n',
  );
});
