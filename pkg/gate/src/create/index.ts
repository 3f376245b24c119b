/** `npm create farebox` and `farebox init`: a small project that deploys a Worker of these packages. */
import { join, normalize, resolve } from 'node:path';

import { asWord, EXIT, failed, tell } from 'farebox/command';

import { type Wanted, wanted } from './answers.js';
import { type Outcome, showsSecrets, writeProject } from './files.js';
import { filesOf, packedFor, SCRIPTS, withoutKey } from './project.js';
import { localProgram } from './rules.js';
import { helpOf, read } from './words.js';

/** Makes a project; with `inPlace` in this folder, unless another one is named. The code to exit with. */
export async function create(args: readonly string[], begin: string, inPlace = false): Promise<number> {
  try {
    const spoken = read(args);
    if (spoken.help === true) {
      process.stdout.write(helpOf(begin));
      return EXIT.done;
    }
    const asked = await wanted(spoken, inPlace);
    const folder = resolve(asked.folder);
    const { wanted: open, isWithheld } = withoutKey(asked);
    told(writeProject(folder, filesOf(open)), asked, await moneyOf(asked));
    if (isWithheld)
      tell('\nThe URL of your node has a key, so it is in no file: `npx wrangler secret put RPC_URL` sets it for the deployed Worker.\n');
    return EXIT.done;
  } catch (error) {
    return failed(error);
  }
}

/** The line that lets `dev` run a gate with money of this machine alone, where its network can be that. */
async function moneyOf({ vars }: Wanted): Promise<readonly string[]> {
  if (vars['PAY_TO'] === undefined) return [];
  const { canBeLocal, INSTALL } = await localProgram();
  return canBeLocal(vars['NETWORK']) ? [`${INSTALL}   # local money, for dev`] : [];
}

function told({ written, kept }: Outcome, { folder, template }: Wanted, money: readonly string[]): void {
  const here = normalize(folder).replace(/(?<=.)\/$/, '');
  for (const path of written) tell(`wrote ${join(here, path)}\n`);
  for (const path of kept) tell(`kept ${join(here, path)}, which was there\n`);
  if (kept.includes('.gitignore') && showsSecrets(folder)) tell('add .dev.vars to .gitignore: it has secrets\n');
  const enter = here === '.' ? [] : [`cd ${asWord(here)}`];
  const scripts = Object.entries(SCRIPTS).map(([name, command]) => `scripts.${name}='${command}'`);
  const install = kept.includes('package.json')
    ? [`npm install ${packedFor(template)}`, 'npm install --save-dev wrangler@4', `npm pkg set ${scripts.join(' ')}`]
    : [`npm install ${packedFor(template)}`];
  tell(`\n${[...enter, ...install, ...money, 'npm run check', 'npm run dev'].map((line) => `  ${line}\n`).join('')}`);
}
