// The product's main job on real parts, with one command.
//
//   npm run demo [-- --once]
//
// Brings everything it needs, starts a chain, the reference facilitator, an origin and the gate on free
// ports, lets stock clients pay, and stays up; `--once` ends instead, with 1 if anything did not hold.

import { randomBytes } from 'node:crypto';

import { bundleWorker, compileWorker } from './build.mjs';
import { endAll } from './processes.mjs';
import { checkNode, installPackages, installRust } from './setup.mjs';
import { elapsed, runMain, step, StepFailed } from './steps.mjs';

await runMain(async () => {
  const once = process.argv.includes('--once');
  const build = process.env.FAREBOX_BUILD ?? (await prepare());
  const parts = await step('chain, facilitator, origin, gate', () => start(build));
  console.log(`ready after ${elapsed()}`);

  const { tour } = await import('../demo/tour.mjs');
  const broken = await tour(parts);
  if (!once) {
    stayUp(parts);
    await new Promise(() => {});
  }
  await endAll();
  await Promise.all([parts.facilitator.stop(), parts.origin.stop()]);
  if (broken.length > 0) throw new StepFailed(`${broken.length} of the demo's checks failed`);
  console.log(`\nall checks passed, ${elapsed()}`);
});

/** Packages from npm on one side, Rust and its compilation on the other; then the bundle needs both. */
async function prepare() {
  checkNode();
  await Promise.all([installPackages(), installRust().then(() => compileWorker())]);
  await bundleWorker();
  return 'build';
}

/**
 * @param {string} build
 */
async function start(build) {
  const { startChain } = await import('../demo/chain.mjs');
  const { startFacilitator } = await import('../demo/facilitator.mjs');
  const { FAILING, gateVars } = await import('../demo/gate.mjs');
  const { startOrigin } = await import('../demo/origin.mjs');
  const { startGate } = await import('./miniflare.mjs');
  const secret = randomBytes(32).toString('hex');
  const chain = await startChain();
  const [facilitator, origin] = await Promise.all([startFacilitator({ chain }), startOrigin({ secret })]);
  const vars = gateVars({ chain, facilitator, origin });
  const token = randomBytes(16).toString('hex');
  const gate = await startGate({
    build,
    vars: { ...vars, ROUTES: [...vars.ROUTES, FAILING], RPC_URL: chain.url },
    secrets: { OPERATOR_TOKEN: token, ORIGIN_SECRET: secret },
  });
  return { chain, facilitator, origin, gate, token };
}

/**
 * @param {Awaited<ReturnType<typeof start>>} parts
 */
function stayUp({ chain, facilitator, origin, gate, token }) {
  console.log(`
Everything stays up until Ctrl-C
  gate         ${gate.url}
  origin       ${origin.url}
  facilitator  ${facilitator.url}
  chain        ${chain.url}

Try it: the first route has a price, the second is free
  curl -i ${gate.url}/report
  curl -i ${gate.url}/about
The origin refuses requests that bypass the gate (docs/origin.md)
  curl -i ${origin.url}/report

The operator's side: what was paid, and whether the books balance (docs/operations.md)
  curl -s -H 'Authorization: Bearer ${token}' ${gate.url}/_farebox/payments
  curl -s -H 'Authorization: Bearer ${token}' ${gate.url}/_farebox/audit
Clients that fail to pay, and why: here the agent with the wrong key
  curl -s -H 'Authorization: Bearer ${token}' ${gate.url}/_farebox/failures
Pay for ${gate.url}/fail/503 to see a refund become due: its origin fails after the payment.`);
}
