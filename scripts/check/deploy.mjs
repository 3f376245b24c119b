// `farebox deploy`: the check, then `wrangler deploy` of the Worker and of those beside it, then what is still missing in one line.

import { spawnSync } from 'node:child_process';

import { print } from './command.mjs';
import { check } from './index.mjs';
import { besideOf, configFile, runWrangler, wordsFor, wranglerProgram } from './project.mjs';
import { readSource } from './source.mjs';
import { complain, runCommand, say } from './words.mjs';
import { readWorker } from './worker.mjs';

const OPTIONS = /** @type {const} */ ({
  env: { type: 'string' },
  config: { type: 'string' },
  offline: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
});

/**
 * @param {string} usage
 */
const helpOf = (usage) => `Checks a project, deploys it with its own wrangler, and says which secrets are missing.

  ${usage}

  --env NAME     the environment to deploy; without it, the top level of the file
  --config FILE  wrangler.toml, wrangler.json or wrangler.jsonc [the one that is here]
  --offline      checks without asking the facilitator, the origin or the node
  --dry-run      shows what would be deployed, and deploys nothing

Workers that it binds and that lie in folders beside it are deployed first. With an error of the check nothing is deployed.
Exits with 0 once all is deployed, with 1 if something is wrong, and with 2 if there is nothing to deploy.`;

/**
 * Checks, deploys, and resolves to the exit code.
 *
 * @param {string[]} args
 * @param {string} begin how the command is called
 * @returns {Promise<number>}
 */
export async function deploy(args, begin) {
  const usage = `${begin} [--env NAME] [--config FILE] [--offline] [--dry-run]`;
  return runCommand({ args, options: OPTIONS, usage, help: helpOf }, deployed);
}

/**
 * @param {{env?: string | undefined, config?: string | undefined, offline: boolean, 'dry-run': boolean}} values
 */
async function deployed({ env: named, config, offline, 'dry-run': isDry }) {
  const env = named || undefined;
  const file = configFile(config);
  const report = await check({ file, offline, deploys: true, say, ...(env === undefined ? {} : { env }) });
  print(report, file, env);
  if (!report.ok) {
    complain('nothing was deployed: mend the errors above first');
    return 1;
  }
  const { config: worker } = await readWorker(readSource(file), env);
  for (const each of [...besideOf(file, worker), file]) {
    const code = await runWrangler(each, ['deploy', ...wordsFor(each, env), ...(isDry ? ['--dry-run'] : [])]);
    if (code === 0) continue;
    complain(`wrangler ended with ${code}: ${each} was not deployed`);
    return 1;
  }
  const needed = report.notes.filter(({ remedy }) => remedy.includes('`wrangler secret put ')).map(({ variable }) => variable);
  const set = isDry ? undefined : secretsOf(file, env);
  const missing = needed.filter((name) => !set?.includes(name));
  const where = wordsFor(file, env)
    .join(' ')
    .replace(/ --env $/, '');
  if (missing.length > 0)
    say(`${set === undefined ? 'it needs' : 'missing'}: ${missing.join(', ')} (npx wrangler secret put NAME ${where})`);
  return 0;
}

/**
 * The secrets that the deployed Worker has.
 *
 * @param {string} file
 * @param {string | undefined} env
 * @returns {string[] | undefined} their names; nothing if Cloudflare does not say
 */
function secretsOf(file, env) {
  const words = [wranglerProgram(file), 'secret', 'list', '--format', 'json', ...wordsFor(file, env)];
  const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status !== 0) return undefined;
  try {
    return JSON.parse(stdout.slice(stdout.indexOf('['))).map((/** @type {{name: string}} */ { name }) => name);
  } catch {
    return undefined;
  }
}
