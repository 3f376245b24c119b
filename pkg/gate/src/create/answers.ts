/** What the person wants: by the words that they said, and by their answers at a terminal. */
import { basename, resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline/promises';

import { Usage } from 'farebox/command';
import { missing, varsOf } from '../serve/settings.js';
import { keyed, refuseWrong, WORD_OF } from './rules.js';
import { type Spoken, TEMPLATES, type Template } from './words.js';

/** A project that can be written. */
export type Wanted = {
  readonly template: Template;
  readonly folder: string;
  /** The name of the Worker. */
  readonly name: string;
  /** The gate's variables, or what stands in their place. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** The Worker behind the gate, or in front of the market, if it is there already. */
  readonly service: string | undefined;
};

/** A priced route as the words say it. */
export type Route = { readonly path: string; readonly price: string; readonly methods?: readonly string[] };

/** Templates that bring what they sell, and so have a price of their own. */
const EXAMPLE: Readonly<Partial<Record<Template, string>>> = {
  'gate-worker': '/report=$0.01',
  hono: '/report=$0.01',
  static: '/report.json=$0.01',
};

/** The variables that each template needs, in the order of the questions. */
const NEEDS: Readonly<Record<Template, readonly string[]>> = {
  gate: ['PAY_TO', 'FACILITATOR_URL', 'ORIGIN_URL', 'ROUTES'],
  'gate-worker': ['PAY_TO', 'FACILITATOR_URL', 'ROUTES'],
  hono: ['PAY_TO', 'FACILITATOR_URL', 'ROUTES'],
  static: ['PAY_TO', 'FACILITATOR_URL', 'ROUTES'],
  treasury: ['ORIGIN_URL'],
  market: ['ORIGIN_URL'],
};

/** The question that asks for a variable. */
const QUESTIONS = {
  PAY_TO: 'The address that is paid (0x…)',
  FACILITATOR_URL: 'The facilitator, which settles payments on that network (a URL)',
  ORIGIN_URL: 'The server behind the gate (a URL)',
  ROUTES: "A path and its price, such as '/report=$0.01'",
  NETWORK: 'The network, base-sepolia for test money',
} as const;

/** The same question where another server is meant. */
const ORIGINS: Readonly<Partial<Record<Template, string>>> = {
  treasury: 'The server that agents may pay (an origin, such as https://api.mine.net)',
  market: 'The address of the gate in front of the market (an origin)',
};

/** Reads the words, asks for what is missing, and lets the gate's own rules judge all of it. */
export async function wanted(spoken: Spoken, inPlace: boolean): Promise<Wanted> {
  const terminal =
    process.stdin.isTTY && process.stderr.isTTY ? createInterface({ input: process.stdin, output: process.stderr }) : undefined;
  try {
    const folder =
      spoken.folder ?? (inPlace ? '.' : await asked(terminal, 'The folder of the project', 'my-gate', 'the first word is the folder'));
    const template = templateOf(
      spoken.template ?? (terminal ? await asked(terminal, `The template (${Object.keys(TEMPLATES).join(', ')})`, 'gate', '') : 'gate'),
    );
    const said = { ...spoken };
    if (terminal !== undefined && said.network === undefined && NEEDS[template].includes('PAY_TO'))
      said.network = [await asked(terminal, QUESTIONS.NETWORK, 'base-sepolia', '')];
    const example = EXAMPLE[template];
    if (said.price === undefined && example !== undefined && said.service === undefined) said.price = [example];
    for (const name of NEEDS[template]) await complete(said, { name: name as keyof typeof QUESTIONS, template, terminal });
    const vars = await shaped(varsOf(said));
    await judge(vars, template);
    if ((template === 'treasury' || template === 'market') && !isOrigin(said.origin))
      throw new Usage('--origin is an origin, such as https://api.mine.net');
    const name = nameOf(spoken.name ?? basename(resolve(folder)), spoken.name !== undefined);
    if (said.service !== undefined) nameOf(said.service, true);
    return { template, folder, name, vars, service: said.service };
  } finally {
    terminal?.close();
  }
}

/** A word that may still be missing. */
type Gap = { readonly name: keyof typeof QUESTIONS; readonly template: Template; readonly terminal: Interface | undefined };

async function complete(said: Record<string, unknown>, { name, template, terminal }: Gap): Promise<void> {
  const gap = missing(varsOf(said)).find((one) => one.name === name);
  if (gap === undefined) return;
  const [word = '', ask] = [WORD_OF[name], QUESTIONS[name]];
  const answer = await asked(terminal, (name === 'ORIGIN_URL' && ORIGINS[template]) || ask, '', gap.says);
  said[word] = word === 'price' ? [answer] : answer;
}

/** Asks at the terminal; without one, or without an answer, the word is missing. */
async function asked(terminal: Interface | undefined, question: string, preset: string, says: string): Promise<string> {
  const answer = terminal === undefined ? '' : (await answered(terminal, `${question}${preset === '' ? '' : ` [${preset}]`}: `)) || preset;
  if (answer === '') throw new Usage(says);
  return answer.replace(/^'(.*)'$/, '$1');
}

/** One line; a terminal that closes has no answer to wait for. */
async function answered(terminal: Interface, question: string): Promise<string> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  terminal.once('close', leave);
  try {
    return (await terminal.question(question, { signal: gone.signal })).trim();
  } catch {
    throw new Usage('not answered: nothing was written');
  } finally {
    terminal.off('close', leave);
  }
}

function templateOf(name: string): Template {
  if (!Object.hasOwn(TEMPLATES, name)) throw new Usage(`--template is one of ${Object.keys(TEMPLATES).join(', ')}`);
  return name as Template;
}

/** A name that Cloudflare takes: one that was said is refused, one of a folder is changed. */
function nameOf(text: string, isSaid: boolean): string {
  const name = isSaid
    ? text
    : text
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .slice(0, 54)
        .replace(/^-+|-+$/g, '') || 'my-gate';
  if (!/^[a-z0-9](?:[a-z0-9-]{0,52}[a-z0-9])?$/.test(name))
    throw new Usage('the name of a Worker has small letters, digits and hyphens, at most 54');
  return name;
}

/** Facilitators that need a key are written with it. */
async function shaped(vars: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
  const url = vars['FACILITATOR_URL'];
  const auth = typeof url === 'string' ? await keyed(url) : undefined;
  return auth === undefined ? vars : { ...vars, FACILITATOR_URL: [{ url, auth }] };
}

function isOrigin(text: string | undefined): boolean {
  return text !== undefined && URL.canParse(text) && new URL(text).origin === text.replace(/\/$/, '');
}

/** Says what the gate would say of these variables, by the word that sets each. */
async function judge(vars: Readonly<Record<string, unknown>>, template: Template): Promise<void> {
  if (template === 'treasury' || template === 'market') {
    for (const name of ['NETWORK', 'RPC_URL']) await refuseWrong(vars, [], name);
    return;
  }
  const bound = template === 'gate' ? [] : ['ORIGIN'];
  if (template !== 'gate' && vars['ORIGIN_URL'] !== undefined)
    throw new Usage(`--origin is for gate, treasury and market; a ${template} has its own`);
  await refuseWrong(vars, bound);
}
