/** What is deployed stays within its budget. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

type Budget = { readonly files: readonly string[]; readonly gzip_bytes: number };

// The package's budget is that of a bundle, which its own tests make.
const { worker } = JSON.parse(readFileSync('tests/sizes.json', 'utf8')) as { readonly worker: Budget };

describe('sizes', () => {
  for (const [name, { files, gzip_bytes: most }] of Object.entries({ worker })) {
    it(`${name} is at most ${most} bytes gzip`, () => {
      const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
      assert.ok(bytes > 50_000, 'something was measured');
      assert.ok(bytes <= most, `${bytes} bytes`);
    });
  }
});
