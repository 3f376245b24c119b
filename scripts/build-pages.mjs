// Builds the pages that people see, with the part of the payer that they need: the second half of `npm run build`.
//
//   node scripts/build-pages.mjs [--treasury]
//
// `--treasury` builds those of the treasury alone, which need nothing that is compiled.

import { existsSync } from 'node:fs';

import { buildTreasuryPages, PAGES } from './pages.mjs';
import { buildPagesAlone } from './pkg.mjs';
import { runMain } from './steps.mjs';

await runMain(async () => {
  if (process.argv.includes('--treasury')) return buildTreasuryPages();
  // `wrangler dev` builds at each start, and pages change seldom.
  if (process.env.FAREBOX_DEV === undefined || !existsSync(PAGES)) await buildPagesAlone();
});
