// The package's command line from this repository, which compiles the package first if it is not built.
//
//   npm run -s farebox -- look URL

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { buildPayer } from './pkg.mjs';
import { root, runMain } from './steps.mjs';

const PROGRAM = join(root, 'pkg/dist/cli/main.js');

await runMain(async () => {
  if (!existsSync(PROGRAM)) await buildPayer();
  // In this process, so that it can ask the person at the terminal.
  process.argv[1] = PROGRAM;
  await import(pathToFileURL(PROGRAM).href);
});
