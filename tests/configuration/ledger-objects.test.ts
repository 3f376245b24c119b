/** `npm run check` where the number of ledger objects changes: payments of before have to be found. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, it } from 'node:test';

import { check } from '../../scripts/check/index.mjs';
import { openFolder, settingsOf, tomlOf } from './table.ts';

const GOOD = settingsOf({});

describe('the number of ledger objects', () => {
  const folder = openFolder();
  after(() => folder.remove());
  const git = (...args: string[]) => {
    const { status, stderr } = spawnSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false', ...args],
      { cwd: folder.path, encoding: 'utf8' },
    );
    assert.equal(status, 0, stderr);
  };
  const of = (shards: string | number | undefined) => tomlOf({ ...GOOD.vars, ...(shards === undefined ? {} : { LEDGER_SHARDS: shards }) });

  for (const [was, is, isRight] of [
    [16, 64, false],
    [undefined, 64, false],
    [16, undefined, true],
    [16, '16', true],
    [16, '64,16', true],
    [undefined, '64,16', true],
    [16, '64,32', false],
    ['64,16', '64+16', true],
    ['64,16', 64, false],
    ['64+16', 64, true],
    ['64+16', 16, false],
    ['64+16', '128,64', false],
    [16, '64+16', false],
    ['64,16', 16, false],
    ['64,16', '16,64', true],
    ['64,16', '128,64', false],
  ] as const) {
    it(`from ${was ?? 'nothing'} to ${is ?? 'nothing'} is ${isRight ? 'right' : 'an error'}`, async () => {
      folder.write(of(was));
      git('init', '--quiet');
      git('add', 'wrangler.toml');
      git('commit', '--quiet', '--allow-empty', '--message', 'x');
      folder.write(of(is), GOOD.secrets);
      const { errors } = await check({ file: folder.file, offline: true });
      assert.deepEqual(
        errors.map(({ variable }) => variable),
        isRight ? [] : ['LEDGER_SHARDS'],
        JSON.stringify(errors),
      );
    });
  }

  it('a file that no commit knows may begin with any', async () => {
    const fresh = openFolder();
    try {
      fresh.write(of(64), GOOD.secrets);
      assert.equal((await check({ file: fresh.file, offline: true })).ok, true);
    } finally {
      fresh.remove();
    }
  });
});
