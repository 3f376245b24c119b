/** What is deployed of the treasury stays within its budget. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';

const { treasury } = JSON.parse(readFileSync('tests/sizes.json', 'utf8')) as {
  readonly treasury: { readonly files: readonly string[]; readonly gzip_bytes: number };
};

it(`the treasury is at most ${treasury.gzip_bytes} bytes gzip`, () => {
  const bytes = treasury.files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
  assert.ok(bytes > 50_000, 'something was measured');
  assert.ok(bytes <= treasury.gzip_bytes, `${bytes} bytes`);
});
