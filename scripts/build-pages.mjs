// Builds the pages that people see, with the part of the payer that they need: the second half of `npm run build`.
//
//   node scripts/build-pages.mjs [--treasury | --market]
//
// `--treasury` and `--market` build the desk of that Worker alone, which needs nothing that is compiled.

import { existsSync } from 'node:fs';

import { buildDesk, PAGES } from './pages.mjs';
import { buildPagesAlone } from './pkg.mjs';
import { runMain } from './steps.mjs';

await runMain(async () => {
  for (const name of ['treasury', 'market']) if (process.argv.includes(`--${name}`)) return buildDesk(name);
  // `wrangler dev` builds at each start, and pages change seldom.
  if (process.env.FAREBOX_DEV === undefined || !existsSync(PAGES)) await buildPagesAlone();
});
