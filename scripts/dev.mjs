// `wrangler dev` with the committed wrangler.toml, between a local chain, facilitator and origin.
//
//   npm run dev
//
// Secrets come from .dev.vars, which git ignores; it is written with random ones if there is none.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { endAll, startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, runMain, step, StepFailed } from './steps.mjs';

await runMain(async () => {
  await setup();
  const { startChain } = await import('../demo/chain.mjs');
  const { startFacilitator } = await import('../demo/facilitator.mjs');
  const { startOrigin } = await import('../demo/origin.mjs');
  const { randomSecrets } = await import('./miniflare.mjs');

  const secrets = join(root, '.dev.vars');
  if (!existsSync(secrets)) {
    const lines = Object.entries(randomSecrets()).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(secrets, lines.join(''), { mode: 0o600 });
    console.log('wrote .dev.vars with random secrets');
  }

  const { chain, facilitator, origin } = await step('chain, facilitator, origin', async () => {
    const chain = await startChain();
    const [facilitator, origin] = await Promise.all([startFacilitator({ chain }), startOrigin()]);
    return { chain, facilitator, origin };
  });
  console.log(`  chain ${chain.url}, facilitator ${facilitator.url}, origin ${origin.url}`);

  const vars = { FACILITATOR_URL: facilitator.url, ORIGIN_URL: origin.url, PAY_TO: chain.accounts.payee.address };
  const wrangler = startProcess(
    process.execPath,
    [
      'node_modules/wrangler/bin/wrangler.js', 'dev', '--env', '', '--ip', '127.0.0.1', '--show-interactive-dev-session=false',
      ...Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
      ...process.argv.slice(2),
    ],
    { cwd: root, show: true, env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' } },
  );
  const code = await wrangler.exited;
  await endAll();
  await Promise.all([facilitator.stop(), origin.stop()]);
  if (code !== 0) throw new StepFailed(`wrangler ended with ${code}`);
});
