// The product's main job on real parts, with one command.
//
//   npm run demo [-- agent|treasury|skills|exchange|sessions] [-- --once] [-- --headers] [-- --log pretty]
//
// With `agent` it tells another story and ends: a model with three tools that sees the cost, asks a
// person and pays once, in a loop and over MCP. With `treasury` it is that of a company's wallet: two
// agents, three policies, a review, a crash and the books. With `skills` it is that of a market: sellers
// without payment code, an agent without a wallet, and a ledger that agrees with the chain. With
// `exchange` it is that of the compute exchange: sellers as processes, one of which dies while it works,
// two buyers, and a refund on the chain. With `sessions` it is that of one deposit and a thousand requests, and it ends.
//
// Brings everything it needs, starts a chain, the reference facilitator, an origin and the gate, lets
// stock clients pay, and stays up. `--once` ends instead, with 1 if anything did not hold; `--headers`
// prints the decoded headers of each exchange; `--log pretty` shows what the gate logs after the tour,
// `--log json` the same as it is written.

import { randomBytes } from 'node:crypto';

import { buildWorker, bundleWorker, compileWorker } from './build.mjs';
import { prettyStream } from './pretty.mjs';
import { endAll, onEnd } from './processes.mjs';
import { checkNode, installPackages, installRust } from './setup.mjs';
import { elapsed, runMain, StepFailed, step } from './steps.mjs';

/** Where the gate listens if the port is free, so that the address to type is the same each time. */
const PORT = 8402;

/** Whether the story is that of an agent. */
const isAgent = process.argv.includes('agent');

await runMain(async () => {
  const once = process.argv.includes('--once');
  checkNode();
  if (process.argv.includes('treasury')) return company(once);
  if (process.argv.includes('skills')) return bazaar(once);
  if (process.argv.includes('exchange')) return idle(once);
  if (process.argv.includes('sessions')) return tab();
  const installed = process.env.FAREBOX_BUILD === undefined ? installPackages() : Promise.resolve();
  // The gate needs both; neither needs the other.
  const [build, parts] = await Promise.all([
    process.env.FAREBOX_BUILD ?? compile(installed),
    installed.then(() => step('chain, facilitator, origin', start)),
  ]);
  const gate = await step('gate', () => startGate(build, parts));
  console.log(`ready after ${elapsed()}`);

  const everything = { ...parts, gate };
  const broken = await play(everything);
  if (!once && !isAgent) {
    const { linesToType } = await import('../demo/lines.mjs');
    console.log(linesToType(everything));
    if (process.argv.includes('--log'))
      gate.follow(
        process.argv.includes('json') ? (text) => process.stdout.write(text) : prettyStream((text) => process.stdout.write(text)),
      );
    await new Promise(() => {});
  }
  await endAll();
  await Promise.all([parts.facilitator.stop(), parts.origin.stop()]);
  if (broken.length > 0) throw new StepFailed(`${broken.length} of the demo's checks failed`);
  console.log(`\nall checks passed, ${elapsed()}`);
});

/**
 * The story of the treasury, which has parts of its own.
 *
 * @param {boolean} once
 */
async function company(once) {
  if (process.env.FAREBOX_BUILD === undefined) {
    await installPackages();
    console.log('compiling gate, treasury and package: about three minutes the first time, some seconds after that');
    await installRust();
    await buildWorker();
    await buildWorker({ worker: 'treasury' });
    const { buildPayer } = await import('./pkg.mjs');
    await buildPayer();
  }
  const [{ startTreasuryWorld }, { acme }, { treasuryStory }, { operatorLines }] = await Promise.all([
    import('../demo/treasury-world.mjs'),
    import('../demo/acme.mjs'),
    import('../demo/treasury.mjs'),
    import('../demo/treasury-lines.mjs'),
  ]);
  const world = await step('chain, facilitator, merchants, treasury', () => startTreasuryWorld({ organizations: acme }));
  onEnd(world.stop);
  const broken = await treasuryStory(world);
  if (!once) {
    console.log(operatorLines(world));
    await new Promise(() => {});
  }
  await endAll();
  if (broken.length > 0) throw new StepFailed(`${broken.length} of the demo's checks failed`);
  console.log(`\nall checks passed, ${elapsed()}`);
}

/**
 * The story of a market of skills.
 *
 * @param {boolean} once
 */
async function bazaar(once) {
  if (process.env.FAREBOX_BUILD === undefined) {
    await installPackages();
    console.log('compiling gate, treasury and market: about three minutes the first time, some seconds after that');
    await installRust();
    for (const worker of ['worker', 'treasury', 'market']) await buildWorker({ worker });
  }
  const [{ startSkillsWorld }, { skillsStory }, { marketLines }] = await Promise.all([
    import('../demo/skills-world.mjs'),
    import('../demo/skills.mjs'),
    import('../demo/skills-lines.mjs'),
  ]);
  const world = await step('chain, facilitator, sellers, gate, market, treasury', () => startSkillsWorld());
  onEnd(world.stop);
  const broken = await skillsStory(world);
  if (!once) {
    console.log(marketLines(world, await world.tokenOf('agent-1')));
    await new Promise(() => {});
  }
  await endAll();
  if (broken.length > 0) throw new StepFailed(`${broken.length} of the demo's checks failed`);
  console.log(`\nall checks passed, ${elapsed()}`);
}

/**
 * The story of the compute exchange.
 *
 * @param {boolean} once
 */
async function idle(once) {
  if (process.env.FAREBOX_BUILD === undefined) {
    await installPackages();
    console.log('compiling gate, treasury, market and package: about four minutes the first time, some seconds after that');
    await installRust();
    for (const worker of ['worker', 'treasury', 'market']) await buildWorker({ worker });
    const { buildPayer } = await import('./pkg.mjs');
    await buildPayer();
  }
  const [{ startExchangeWorld }, { exchangeStory, onDuty }, { exchangeLines }] = await Promise.all([
    import('../demo/exchange-world.mjs'),
    import('../demo/exchange.mjs'),
    import('../demo/exchange-lines.mjs'),
  ]);
  const world = await step('chain, facilitator, gate, market, treasury', () => startExchangeWorld());
  onEnd(world.stop);
  const broken = await exchangeStory(world);
  if (!once) {
    const { seller, stop } = await onDuty(world);
    onEnd(stop);
    console.log(exchangeLines(world, { seller, buyer: await world.wallet() }));
    await new Promise(() => {});
  }
  await endAll();
  if (broken.length > 0) throw new StepFailed(`${broken.length} of the demo's checks failed`);
  console.log(`\nall checks passed, ${elapsed()}`);
}

/** The story of a session. */
async function tab() {
  if (process.env.FAREBOX_BUILD === undefined) {
    await installPackages();
    console.log('compiling gate and package: about two minutes the first time, some seconds after that');
    await installRust();
    await buildWorker();
    const { buildPayer } = await import('./pkg.mjs');
    await buildPayer();
  }
  const [{ startSessionsWorld }, { sessionsStory }] = await Promise.all([
    import('../demo/sessions-world.mjs'),
    import('../demo/sessions.mjs'),
  ]);
  const world = await step('chain, facilitator, origin, gate', () => startSessionsWorld());
  onEnd(world.stop);
  const broken = await sessionsStory(world);
  await endAll();
  if (broken.length > 0) throw new StepFailed(`${broken.length} of the demo's checks failed`);
  console.log(`\nall checks passed, ${elapsed()}`);
}

/**
 * Plays the story that was asked for, and returns what did not hold.
 *
 * @param {import('../demo/tour.mjs').Parts} parts
 */
async function play(parts) {
  if (!isAgent) {
    const { tour } = await import('../demo/tour.mjs');
    return tour(parts, { headers: process.argv.includes('--headers') });
  }
  if (process.env.FAREBOX_BUILD === undefined) {
    const [{ buildPayer }, { buildMcp }] = await Promise.all([import('./pkg.mjs'), import('./mcp.mjs')]);
    await buildPayer();
    await buildMcp();
  }
  const { agentStory } = await import('../demo/agent.mjs');
  return agentStory(parts);
}

/**
 * Compiles while npm installs; the bundle needs both.
 *
 * @param {Promise<void>} installed
 */
async function compile(installed) {
  console.log('compiling the gate: about three minutes the first time, a second after that');
  await Promise.all([installed, installRust().then(() => compileWorker())]);
  await bundleWorker();
  return 'build';
}

async function start() {
  const { startChain } = await import('../demo/chain.mjs');
  const { startFacilitator } = await import('../demo/facilitator.mjs');
  const { startOrigin } = await import('../demo/origin.mjs');
  const secret = randomBytes(32).toString('hex');
  const chain = await startChain({ idle: true });
  const [facilitator, origin] = await Promise.all([startFacilitator({ chain }), startOrigin({ secret })]);
  return { chain, facilitator, origin, secret, token: randomBytes(16).toString('hex') };
}

/**
 * @param {string} build
 * @param {Awaited<ReturnType<typeof start>>} parts
 */
async function startGate(build, { chain, facilitator, origin, secret, token }) {
  const { FAILING, gateVars } = await import('../demo/gate.mjs');
  const { isFree } = await import('../demo/server.mjs');
  const miniflare = await import('./miniflare.mjs');
  const vars = gateVars({ chain, facilitator, origin });
  return miniflare.startGate({
    build,
    port: !isAgent && (await isFree(PORT)) ? PORT : 0,
    vars: { ...vars, ROUTES: [...vars.ROUTES, FAILING], RPC_URL: chain.url },
    secrets: { OPERATOR_TOKEN: token, ORIGIN_SECRET: secret },
  });
}
