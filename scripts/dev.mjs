// `wrangler dev` with your wrangler.toml, and local money: a chain of its own, its facilitator, a key with test money.
//
//   npm run dev [-- --own-facilitator] [--log json] [wrangler's options]
//
// All variables are those of the file, but for two: FACILITATOR_URL and RPC_URL are the local ones, if the
// file's NETWORK is Base Sepolia alone. `--own-facilitator` leaves these too. The origin is never touched.
// The gate's log is shown as people read it (scripts/pretty.mjs), with `--log json` as it is written.
// Secrets come from .dev.vars, which git ignores; it is written with random ones if there is none.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { buildWorker, isNewest } from './build.mjs';
import { PAGES } from './pages.mjs';
import { buildPagesAlone } from './pkg.mjs';
import { prettyStream } from './pretty.mjs';
import { endAll, startProcess } from './processes.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepFailed, step } from './steps.mjs';

/** Names of the one network that the local chain can be. */
const LOCAL = ['eip155:84532', 'base-sepolia'];
const POLL_MS = 200;

await runMain(async () => {
  const words = process.argv.slice(2);
  const isJson = words[words.indexOf('--log') + 1] === 'json' && words.includes('--log');
  const options = words.filter((word, index) => word !== '--own-facilitator' && word !== '--log' && words[index - 1] !== '--log');
  await setup();
  const { readSource } = await import('./check/source.mjs');
  const { structured, parseSecrets } = await import('./check/worker.mjs');
  const { freePort, isFree } = await import('../demo/server.mjs');
  const secrets = await secretsOf(parseSecrets);

  const file =
    ['wrangler.toml', 'wrangler.jsonc', 'wrangler.json'].map((name) => join(root, name)).find((name) => existsSync(name)) ??
    'wrangler.toml';
  const { vars = {} } = readSource(file).raw;
  const networks = [structured(vars.NETWORK)].flat();
  const isLocal = !words.includes('--own-facilitator') && networks.length === 1 && LOCAL.includes(String(networks[0]));
  // Before wrangler, which runs the file's build command twice at once: both then find nothing to do.
  const [local] = await Promise.all([isLocal ? step('chain, facilitator', startMoney) : undefined, buildWhatIsOld()]);

  const given = options[options.indexOf('--port') + 1];
  const port = options.includes('--port') && given ? Number(given) : (await isFree(8787)) ? 8787 : await freePort();
  /** @type {Record<string, string>} */
  const replaced = local === undefined ? {} : { FACILITATOR_URL: local.facilitator.url, RPC_URL: local.chain.url };
  const wrangler = startProcess(
    process.execPath,
    [
      'node_modules/wrangler/bin/wrangler.js',
      'dev',
      '--env',
      '',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--show-interactive-dev-session=false',
      ...Object.entries(replaced).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
      ...options.filter((word, index) => word !== '--port' && options[index - 1] !== '--port'),
    ],
    {
      cwd: root,
      show: isJson ? true : prettyStream,
      env: { ...process.env, FAREBOX_DEV: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
    },
  );
  const gone = wrangler.exited.then((code) => ({ code }));
  if ((await Promise.race([gone, listening(`http://127.0.0.1:${port}`)])) === undefined) {
    console.log(told({ url: `http://127.0.0.1:${port}`, vars, replaced, local, token: secrets.OPERATOR_TOKEN }));
  }
  const { code } = await gone;
  await endAll();
  await local?.facilitator.stop();
  if (code !== 0) throw new StepFailed(`wrangler ended with ${code}`);
});

async function buildWhatIsOld() {
  if (!isNewest()) await buildWorker();
  if (!existsSync(PAGES)) await buildPagesAlone();
}

async function startMoney() {
  const { startChain } = await import('../demo/chain.mjs');
  const { startFacilitator } = await import('../demo/facilitator.mjs');
  const chain = await startChain({ idle: true });
  return { chain, facilitator: await startFacilitator({ chain }) };
}

/**
 * @param {(text: string) => Record<string, string>} parse
 */
async function secretsOf(parse) {
  const { randomSecrets } = await import('./miniflare.mjs');
  const file = join(root, '.dev.vars');
  if (!existsSync(file)) {
    const lines = Object.entries(randomSecrets()).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(file, lines.join(''), { mode: 0o600 });
    console.log('wrote .dev.vars with random secrets');
  }
  return parse(readFileSync(file, 'utf8'));
}

/**
 * Waits until something answers there.
 *
 * @param {string} url
 */
async function listening(url) {
  for (;;) {
    try {
      await fetch(`${url}/_farebox/health`);
      return undefined;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/**
 * What a person needs to try it.
 *
 * @param {{ url: string, vars: import('./check/source.mjs').Table, replaced: Record<string, string>, local: Awaited<ReturnType<typeof startMoney>> | undefined, token: string | undefined }} parts
 */
function told({ url, vars, replaced, local, token }) {
  const { path = '/' } = priced(vars.ROUTES) ?? {};
  const target =
    url +
    String(path)
      .replace(/\/\*$/, '/')
      .replace(/\[[^\]/]*\]/g, '1');
  const lines = [
    '',
    'Your gate, as in wrangler.toml',
    `  gate         ${url}`,
    `  origin       ${vars.ORIGIN_URL ?? 'bound, or the zone'}`,
    `  paid to      ${JSON.stringify(vars.PAY_TO)}`,
    ...Object.entries(replaced).map(([name, value]) => `  ${name.padEnd(12)} ${value} (local, in the place of the file's)`),
    '',
    'A price',
    `  curl -i '${target}'`,
  ];
  const key = local?.chain.accounts.payer.privateKey;
  if (local === undefined) {
    lines.push('', 'Payments go to the facilitator of the file: NETWORK is not Base Sepolia alone, or --own-facilitator was given.');
  } else {
    lines.push(
      '',
      'Buy, with a key that has 1,000 USDC of test money on the local chain alone',
      `  ${key}`,
      `  curl -i -H "$(node demo/sign.mjs '${target}')" '${target}'`,
    );
  }
  if (token !== undefined) {
    lines.push('', "The operator's side (docs/operations.md)", `  curl -s -H 'Authorization: Bearer ${token}' ${url}/_farebox/payments`);
  }
  return lines.join('\n');
}

/**
 * @param {unknown} routes
 * @returns {{path?: string} | undefined}
 */
function priced(routes) {
  return (Array.isArray(routes) ? routes : []).find(
    ({ price, methods }) => price !== 'free' && (!Array.isArray(methods) || methods.includes('GET')),
  );
}
