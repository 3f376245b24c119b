/** What is deployed of the market stays within its budget. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';

const { market } = JSON.parse(readFileSync('tests/sizes.json', 'utf8')) as {
  readonly market: { readonly files: readonly string[]; readonly gzip_bytes: number };
};

it(`the market is at most ${market.gzip_bytes} bytes gzip`, () => {
  const bytes = market.files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
  assert.ok(bytes > 50_000, 'something was measured');
  assert.ok(bytes <= market.gzip_bytes, `${bytes} bytes`);
});
