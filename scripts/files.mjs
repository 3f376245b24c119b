// Runs test files in the order in which they are named, so many at once; `node --test` sorts them by name.
//
//   node --import ./scripts/typescript.mjs scripts/files.mjs <how many at once> <ms for each> <file>...

import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const [atOnce, timeoutMs, ...files] = process.argv.slice(2);
run({ concurrency: Number(atOnce), timeout: Number(timeoutMs), files: files.map((file) => resolve(file)) })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
