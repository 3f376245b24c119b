// What the rows of `farebox serve` are named by: another name finds none of them, so it is refused, and so is a disk that is not there.

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { Later, Usage } from '../../pkg/dist/cli/words.js';
import { backUp, restore } from '../../pkg/gate/dist/serve/backup.js';
import { roomLine } from '../../pkg/gate/dist/serve/disk.js';
import { keepNames } from '../../pkg/gate/dist/serve/rows.js';
import { notIn, refuseWithout, secretsIn } from '../../pkg/gate/dist/serve/secrets.js';
import { takeState } from '../../pkg/gate/dist/serve/state.js';

const place = mkdtempSync(join(tmpdir(), 'farebox-rows-'));
after(() => rmSync(place, { recursive: true, force: true }));

const SALT = 's'.repeat(32);

/** Starts a gate in a folder with these variables, but for its runtime. Says whether there was none before. */
async function starts(name: string, vars: Readonly<Record<string, string>> = {}): Promise<boolean> {
  const state = takeState(join(place, name));
  try {
    return await keepNames(state.folder, state.rows, { LEDGER_SALT: SALT, ...vars });
  } finally {
    state.leave();
  }
}

//
test('rows are not served under another salt, nor under another number of objects at once', async () => {
  await starts('names');
  await starts('names', { LEDGER_SHARDS: '16' });
  await assert.rejects(starts('names', { LEDGER_SALT: 'other' }), /LEDGER_SALT is not that of the rows/);
  await assert.rejects(starts('names', { LEDGER_SHARDS: '64' }), /LEDGER_SHARDS was 16 at the last start; write "64,16" until/);
  for (const step of ['64,16', '64+16', '64']) await starts('names', { LEDGER_SHARDS: step });
  await assert.rejects(
    starts('names'),
    (error) => error instanceof Usage && !(error instanceof Later) && /LEDGER_SHARDS was 64 at the last start/.test(error.message),
  );
  assert.doesNotMatch(readFileSync(join(place, 'names', 'rows', 'gate.json'), 'utf8'), new RegExp(SALT));
});

//
test('the first start of a folder is told from later ones, also after a restore', async () => {
  assert.deepEqual([await starts('first'), await starts('first')], [true, false]);
  backUp(join(place, 'first'), join(place, 'copy-of-first'));
  restore(join(place, 'copy-of-first'), join(place, 'first-again'));
  assert.equal(await starts('first-again'), false);
});

//
test('rows that may become larger than their disk are told of', () => {
  const rows = join(place, 'sized');
  mkdirSync(join(rows, 'farebox-ledger'), { recursive: true });
  const says = (vars: Readonly<Record<string, string>>, free: number): string | undefined => roomLine(rows, vars, free);
  assert.equal(says({}, 180e9), undefined);
  assert.match(says({}, 20e9) ?? '', /^rows may take 160000 MB, and their disk has 18000 for them: set LEDGER_MAX_MB to 1125,/);
  assert.equal(says({ LEDGER_MAX_MB: '1125' }, 20e9), undefined);
  assert.match(says({ LEDGER_MAX_MB: '1125', LEDGER_SHARDS: '64,16' }, 20e9) ?? '', /may take 72000 MB, .* LEDGER_MAX_MB to 281,/);
  // What the rows have is theirs.
  writeFileSync(join(rows, 'farebox-ledger', 'a.sqlite'), Buffer.alloc(3e6));
  assert.equal(says({ LEDGER_MAX_MB: '1', LEDGER_SHARDS: '1' }, 0), undefined);
});

//
test('rows whose disk is not there are waited for', async () => {
  const gate = join(place, 'disks');
  mkdirSync(join(place, 'disk'));
  mkdirSync(gate);
  symlinkSync(join(place, 'disk'), join(gate, 'rows'));
  await starts('disks');
  renameSync(join(place, 'disk'), join(place, 'away'));
  mkdirSync(join(place, 'disk'));
  await assert.rejects(starts('disks'), (error) => error instanceof Later && /has not the rows that were there/.test(error.message));
  assert.deepEqual(readdirSync(join(place, 'disk')), []);
  const copied = (): void => backUp(gate, join(place, 'copy-without-disk'));
  assert.throws(copied, (error) => error instanceof Later && /has not the rows that were there/.test(error.message));
  rmSync(join(place, 'disk'), { recursive: true });
  // The link leads nowhere, where the place of the disk is gone too.
  await assert.rejects(starts('disks'), (error) => error instanceof Later && /leads to a folder that is not there/.test(error.message));
  assert.throws(copied, Later);
  assert.equal(existsSync(join(place, 'copy-without-disk')), false);
  renameSync(join(place, 'away'), join(place, 'disk'));
  await starts('disks');
});

//
test('what the rows are named by goes with a copy of them', async () => {
  await starts('copied');
  backUp(join(place, 'copied'), join(place, 'copy'));
  restore(join(place, 'copy'), join(place, 'back'));
  await starts('back');
  await assert.rejects(starts('back', { LEDGER_SALT: 'other' }), /LEDGER_SALT is not that of the rows/);
  rmSync(join(place, 'back', 'rows', 'gate.json'));
  await assert.rejects(starts('back'), /has not the rows that were there/);
});

//
test('no second secret is made beside one of the environment, and none is served without', () => {
  const file = join(place, 'set.json');
  const secrets = secretsIn(file, { LEDGER_SALT: SALT, OPERATOR_TOKEN: 'o' });
  assert.deepEqual(Object.keys(secrets), ['GATE_SECRET']);
  assert.deepEqual(notIn(file), ['LEDGER_SALT']);
  assert.doesNotThrow(() => refuseWithout({ ...secrets, LEDGER_SALT: SALT, OPERATOR_TOKEN: 'o' }, file));
  assert.throws(() => refuseWithout(secrets, file), /LEDGER_SALT: neither in the environment nor in/);
  assert.doesNotThrow(() => refuseWithout({ ...secrets, LEDGER_SALT: SALT }, file));
});

//
test('secrets are there whole or not at all', () => {
  const folder = join(place, 'cut');
  mkdirSync(folder);
  // What a kill at the very first start leaves, and a link in its place.
  writeFileSync(join(folder, 'secrets.json.new'), '{"GATE');
  takeState(folder).leave();
  assert.equal(existsSync(join(folder, 'secrets.json.new')), false);
  rmSync(join(folder, 'secrets.json'));
  writeFileSync(join(place, 'victim'), 'theirs');
  symlinkSync(join(place, 'victim'), join(folder, 'secrets.json.new'));
  takeState(folder).leave();
  assert.equal(readFileSync(join(place, 'victim'), 'utf8'), 'theirs');
  assert.equal(statSync(join(folder, 'secrets.json')).mode & 0o777, 0o600);
});
