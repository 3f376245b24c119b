// `wrangler dev` with your wrangler.toml, and local money: a chain of its own, its facilitator, a key with test money.
//
//   npm run dev [-- --own-facilitator] [--log json] [--help]
//
// All variables are those of the file, but for two: FACILITATOR_URL and RPC_URL are the local ones, if the file's NETWORK is Base Sepolia
// alone. The npm package has the same as `farebox dev`, for projects that depend on it.

import { existsSync } from 'node:fs';

import { buildWorker, isNewest } from './build.mjs';
import { PAGES } from './pages.mjs';
import { buildPagesAlone } from './pkg.mjs';
import { setup } from './setup.mjs';
import { root, runMain } from './steps.mjs';

await runMain(async () => {
  process.chdir(root);
  await setup();
  const { dev } = await import('./local/command.mjs');
  const { payLine, quoted } = await import('./local/told.mjs');
  process.exitCode = await dev(process.argv.slice(2), {
    begin: 'npm run dev --',
    build: async () => {
      if (!isNewest()) await buildWorker();
      if (!existsSync(PAGES)) await buildPagesAlone();
    },
    // A stock client signs, which needs no build of the package; other requests than GET are left to it.
    buy: (purchase) => {
      const { url, method, upto } = purchase;
      if (method !== 'GET' || upto !== undefined) return payLine(purchase).replace('npx farebox', 'npm run -s farebox --');
      return `curl -i -H "$(node demo/sign.mjs ${quoted(url)})" ${quoted(url)}`;
    },
  });
});
