// `farebox dev` and `npm run dev`: `wrangler dev` of the project that is here, with local money if its libraries are there.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

import { freePort, isFree } from '../../demo/server.mjs';
import { isMarket, isTreasury } from '../check/deployment.mjs';
import { besideOf, configFile, wordsFor, wranglerProgram } from '../check/project.mjs';
import { readSource } from '../check/source.mjs';
import { Unusable } from '../check/unusable.mjs';
import { readWorker, structured } from '../check/worker.mjs';
import { prettyStream } from '../pretty.mjs';
import { endAll, startProcess } from '../processes.mjs';
import { canBeLocal, startMoney } from './money.mjs';
import { randomSecrets } from './secrets.mjs';
import { payLine, told, toldLast, toldMarket, toldTreasury, toldUnconfigured } from './told.mjs';

const OPTIONS = /** @type {const} */ ({
  env: { type: 'string' },
  config: { type: 'string' },
  port: { type: 'string' },
  log: { type: 'string', default: 'pretty' },
  'own-facilitator': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
});

const POLL_MS = 200;
/** The status of each Worker whose configuration has an error. */
const UNCONFIGURED = 503;

/**
 * @param {string} usage
 */
const helpOf = (usage) => `Runs the project that is here, and prints the lines that buy its own routes.

  ${usage}

  --env NAME         the environment to run; without it, the top level of the file
  --config FILE      wrangler.toml, wrangler.json or wrangler.jsonc [the one that is here]
  --port NUMBER      [8787, or a free one]
  --own-facilitator  takes no local money: payments go to the facilitator of the file
  --log json         shows the log as it is written, not as people read it
  -- WORDS           are wrangler's own

On Base Sepolia alone, it runs a chain and a facilitator of its own if viem, @x402/core, @x402/evm and anvil are installed;
otherwise it says how to install them, and goes on. Nothing but this machine reaches it. Ctrl-C ends it.`;

/**
 * @typedef {object} Habits how a repository differs from a project that has the package
 * @property {string} begin how the command is called
 * @property {(purchase: import('./told.mjs').Purchase) => string} [buy] the line that buys
 * @property {() => Promise<unknown>} [build] runs beside the start of the money
 */

/**
 * Runs until it is ended, and resolves to the exit code.
 *
 * @param {string[]} args
 * @param {Habits} habits
 * @returns {Promise<number>}
 */
export async function dev(args, { begin, buy = payLine, build = async () => {} }) {
  const usage = `${begin} [--env NAME] [--config FILE] [--port NUMBER] [--own-facilitator] [--log json] [-- WORDS]`;
  const end = args.indexOf('--');
  const [own, others] = end < 0 ? [args, []] : [args.slice(0, end), args.slice(end + 1)];
  let values;
  try {
    ({ values } = parseArgs({ args: own, options: OPTIONS }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nusage: ${usage}`);
    return 2;
  }
  if (values.help) {
    console.log(helpOf(usage));
    return 0;
  }
  try {
    return await served(values, { others, buy, build });
  } catch (error) {
    await endAll();
    console.error(error instanceof Error ? error.message : error);
    return error instanceof Unusable ? 2 : 1;
  }
}

/**
 * @param {{env?: string | undefined, config?: string | undefined, port?: string | undefined, log: string, 'own-facilitator': boolean}} values
 * @param {{others: string[], buy: (purchase: import('./told.mjs').Purchase) => string, build: () => Promise<unknown>}} more
 */
async function served(values, { others, buy, build }) {
  const file = configFile(values.config);
  const env = values.env || undefined;
  const source = readSource(file);
  const { config, vars } = await readWorker(source, env);
  const isGate = !isTreasury(config) && !isMarket(config);
  const name = String(config.name);
  if (writeSecrets(file, isGate)) console.log('wrote .dev.vars with random secrets');
  const { secrets } = await readWorker(source, env);
  const routes = structured(vars.ROUTES);
  const isLocal = isGate && !values['own-facilitator'] && canBeLocal(structured(vars.NETWORK));
  // Before wrangler, which runs the file's build command twice at once: both then find nothing to do.
  const [money] = await Promise.all([isLocal ? startMoney(routes) : undefined, build()]);
  const replaced = money !== undefined && 'vars' in money ? money.vars : {};
  const port = values.port ?? String((await isFree(8787)) ? 8787 : await freePort());
  const url = `http://127.0.0.1:${port}`;
  const words = [
    ...wordsFor(file, env),
    ...besideOf(file, config).flatMap((other) => ['--config', other]),
    ...['--ip', '127.0.0.1', '--port', port, '--show-interactive-dev-session=false'],
    ...Object.entries(replaced).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
  ];
  const wrangler = startProcess(process.execPath, [wranglerProgram(file), 'dev', ...words, ...others], {
    show: values.log === 'json' ? true : prettyStream,
    env: { ...process.env, FAREBOX_DEV: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  });
  const gone = wrangler.exited.then((code) => ({ code }));
  const up = await Promise.race([gone, listening(url)]);
  if (typeof up === 'number') {
    const token = secrets.OPERATOR_TOKEN;
    if (up === UNCONFIGURED) console.log(toldUnconfigured({ name, url, file }));
    else if (isGate) console.log(told({ file, url, vars, money, token, buy }));
    else console.log(isTreasury(config) ? toldTreasury({ name, url, vars, token }) : toldMarket({ name, url, vars }));
    console.log(toldLast(file));
  }
  const { code } = await gone;
  await endAll();
  if (money !== undefined && 'facilitator' in money) await money.facilitator.stop();
  if (code !== 0) console.error(`wrangler ended with ${code}`);
  return code === 0 ? 0 : 1;
}

/**
 * Writes secrets for this machine, if there are none: those of a gate, or those that the example names.
 *
 * @param {string} file
 * @param {boolean} isGate
 */
function writeSecrets(file, isGate) {
  const place = join(dirname(file), '.dev.vars');
  if (existsSync(place)) return false;
  const example = !isGate && existsSync(`${place}.example`) ? readFileSync(`${place}.example`, 'utf8') : '';
  // A key of a wallet is hexadecimal with its prefix.
  const named = [...example.matchAll(/^(\w+)=$/gm)].map(([, name = '']) => [
    name,
    `${name.endsWith('_KEY') ? '0x' : ''}${randomSecrets().GATE_SECRET}`,
  ]);
  const lines = (isGate ? Object.entries(randomSecrets()) : named).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(place, lines.join(''), { mode: 0o600, flag: 'wx' });
  return true;
}

/**
 * Waits until something answers there; the status of its health.
 *
 * @param {string} url
 */
async function listening(url) {
  for (;;) {
    try {
      return (await fetch(`${url}/_farebox/health`)).status;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
