// Runs test files in the given order, several at once; `node --test` sorts them by name. Reports in
// the end the time of each folder with its slowest files, and the files that failed.
//
//   node --import ./scripts/typescript.mjs scripts/files.mjs <how many at once> <ms for each> <file>...

import { basename, dirname, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const LONGEST = 5;

const [atOnce, timeoutMs, ...files] = process.argv.slice(2);
/** @type {Map<string, number>} */
const secs = new Map();
/** @type {Set<string>} */
const failed = new Set();
/** @param {{name: string, nesting: number, file?: string, details: {duration_ms: number}}} test */
const note = ({ nesting, file = '', details }) => {
  const name = relative('.', file);
  if (nesting === 0) secs.set(name, (secs.get(name) ?? 0) + details.duration_ms / 1000);
};
run({ concurrency: Number(atOnce), timeout: Number(timeoutMs), files: files.map((file) => resolve(file)) })
  .on('test:pass', note)
  .on('test:fail', (test) => {
    note(test);
    failed.add(relative('.', test.file ?? ''));
    process.exitCode = 1;
  })
  .compose(new spec())
  .on('end', tell)
  .pipe(process.stdout);

function tell() {
  for (const folder of new Set([...secs.keys()].map((file) => dirname(file)))) {
    const here = [...secs].filter(([file]) => dirname(file) === folder).sort(([, one], [, other]) => other - one);
    const sum = here.reduce((all, [, each]) => all + each, 0);
    const longest = here.slice(0, LONGEST).map(([file, each]) => `${basename(file, '.test.ts')} ${each.toFixed(0)}`);
    console.log(`ℹ secs: ${folder} ${sum.toFixed(0)}, of these ${longest.join(', ')}`);
  }
  console.log(`ℹ times: ${JSON.stringify(Object.fromEntries([...secs].map(([file, each]) => [file, Math.round(each)])))}`);
  for (const file of failed) console.log(`ℹ failed: ${file}`);
}
