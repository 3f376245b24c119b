// The record in a folder on a disk that is full, and through a loss of power: nothing stays of what failed, and what was replaced is there.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { fileStore } from '../../pkg/dist/file-store.js';
import { update } from '../../pkg/dist/store.js';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-file-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

type Opens = typeof files.open;

/** Opens files by this function from here on. */
function opening(t: TestContext, by: (real: Opens) => Opens): void {
  const real = files.open;
  files.open = by(real);
  syncBuiltinESMExports();
  t.after(() => {
    files.open = real;
    syncBuiltinESMExports();
  });
}

test('what a full disk cut does not stay, nor what a kill has left for an hour', async (t) => {
  const folder = folderOf(t);
  const store = fileStore(folder);
  await update(store, () => 'first');
  let isFull = true;
  opening(t, (real) => async (path, ...how) => {
    const file = await real(path, ...how);
    const { writeFile } = file;
    file.writeFile = async (data, options) => {
      await writeFile.call(file, isFull ? String(data).slice(0, 10) : data, options);
      if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    };
    return file;
  });
  for (let turn = 0; turn < 3; turn += 1)
    await assert.rejects(
      update(store, () => 'second'),
      /no space left/,
    );
  assert.deepEqual(readdirSync(folder), ['budget-1.json']);
  isFull = false;
  const [old, fresh] = [join(folder, `draft-1-${'0'.repeat(24)}`), join(folder, `draft-2-${'0'.repeat(24)}`)];
  for (const path of [old, fresh]) writeFileSync(path, '{');
  utimesSync(old, new Date(0), new Date(0));
  await update(store, () => 'third');
  assert.deepEqual([existsSync(old), existsSync(fresh)], [false, true]);
  assert.equal((await store.read()).record, 'third');
});

//
test('a state that counts is on the disk under its name, before a payment leaves', { skip: process.platform === 'win32' }, async (t) => {
  const folder = folderOf(t);
  const store = fileStore(folder);
  const synced: (readonly [path: string, has: boolean])[] = [];
  opening(t, (real) => async (path, ...how) => {
    const file = await real(path, ...how);
    const { sync } = file;
    file.sync = () => {
      synced.push([String(path), existsSync(join(folder, 'budget-1.json'))]);
      return sync.call(file);
    };
    return file;
  });
  await update(store, () => 'signed');
  assert.equal(synced.length, 2);
  assert.deepEqual(synced[1], [folder, true]);
});
