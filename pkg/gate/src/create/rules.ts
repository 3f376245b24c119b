/** The programs beside this one: the rules of the gate, as `farebox check` applies them, and the one that runs a project here. */

import { Usage, visible } from 'farebox/command';

/** What the check knows and other commands ask. */
export type Check = {
  main(args: readonly string[], begin: string): Promise<number>;
  deploy(args: readonly string[], begin: string): Promise<number>;
  upgrade(args: readonly string[], program: { readonly begin: string; readonly version: string }): Promise<number>;
  judge(vars: Readonly<Record<string, unknown>>): {
    readonly errors: readonly { readonly variable: string; readonly remedy: string }[];
    readonly siblings: readonly { readonly priced: string; readonly free: readonly string[] }[];
  };
  keyed(url: string): string | undefined;
  checkSupported(
    vars: Readonly<Record<string, unknown>>,
    say: (line: string) => void,
  ): Promise<{ readonly errors: readonly string[]; readonly warnings: readonly string[] }>;
  clientNetwork(address: string): string;
  stepBetween(before: unknown, now: unknown): { readonly was: string; readonly next: string } | undefined;
  unread(names: readonly string[]): readonly { readonly name: string; readonly meant: string | undefined }[];
};

/** Loaded when it is needed: it is half a megabyte. */
export async function checkProgram(): Promise<Check> {
  return (await import(new URL('../../check/index.js', import.meta.url).href)) as Check;
}

/** What runs a project on this machine, and what it says of local money. */
export type Local = {
  dev(args: readonly string[], habits: { readonly begin: string }): Promise<number>;
  canBeLocal(network: unknown): boolean;
  /** The command that adds local money to a project. */
  readonly INSTALL: string;
  buying(gate: { readonly url: string; readonly routes: unknown; readonly key: string; readonly store: string }): string;
};

/** Runs a project on this machine: a program of its own too, because of what it needs of the project. */
export async function localProgram(): Promise<Local> {
  return (await import(new URL('../../local/index.js', import.meta.url).href)) as Local;
}

/** What the gate says of a secret that is not set. */
const MISSING = /is missing; run `wrangler secret put \w+`/;

/** Facts beside the variables that are judged. */
type Judging = {
  /** What sets a variable, if no word of the command does. */
  readonly source?: (variable: string) => string | undefined;
  /** Whether secrets that are not set are refused as well. */
  readonly hasSecrets?: boolean;
};

/** What the gate would refuse of these variables, beside the names of what is bound. */
export async function judged(
  vars: Readonly<Record<string, unknown>>,
  bound: readonly string[],
  { hasSecrets = false }: Judging = {},
): Promise<ReturnType<Check['judge']>['errors']> {
  const { errors } = await judgement(vars, bound);
  return errors.flatMap(({ variable, remedy }) => {
    if (!MISSING.test(remedy)) return [{ variable, remedy }];
    return hasSecrets ? [{ variable, remedy: remedy.replace(MISSING, 'is missing; set it in the environment') }] : [];
  });
}

async function judgement(vars: Readonly<Record<string, unknown>>, bound: readonly string[]): Promise<ReturnType<Check['judge']>> {
  const { judge } = await checkProgram();
  const secrets = { GATE_SECRET: 'x'.repeat(64), LEDGER_SALT: 'x'.repeat(32) };
  return judge({ ...secrets, ...vars, bindings: [...bound, 'CHANNEL', 'LEDGER', 'RATE_LIMITER'].sort() });
}

/** Most free paths that are told at once. */
const MOST_TOLD = 20;

/** Free paths beside priced ones that many servers answer alike, in one line. */
export async function siblingsOf(vars: Readonly<Record<string, unknown>>, bound: readonly string[]): Promise<readonly string[]> {
  const { siblings } = await judgement(vars, bound);
  const [first] = siblings;
  if (first === undefined) return [];
  const all = siblings.flatMap(({ free }) => free);
  const told = all.length > MOST_TOLD ? [...all.slice(0, MOST_TOLD), `and ${all.length - MOST_TOLD} more`] : all;
  const priced = siblings.length === 1 ? `${first.priced} is priced` : `${siblings.length} paths are priced`;
  return [oneLine(`${priced}, and many servers of files serve the same at ${told.join(', ')}: free`)];
}

/** Which word of a command sets which variable. */
export const WORD_OF: Readonly<Record<string, string>> = {
  PAY_TO: 'pay-to',
  FACILITATOR_URL: 'facilitator',
  ORIGIN_URL: 'origin',
  ORIGIN_NETWORK: 'origin-network',
  ROUTES: 'price',
  NETWORK: 'network',
  RPC_URL: 'rpc',
};

/** A variable that the gate would refuse, and the line that says so. */
export type Wrong = { readonly name: string; readonly says: string };

/** What the gate would refuse of these variables, by what sets it: a word of the command, or else a `source`. */
export async function wrongWith(
  vars: Readonly<Record<string, unknown>>,
  bound: readonly string[],
  judging: Judging = {},
): Promise<readonly Wrong[]> {
  return (await judged(vars, bound, judging)).map(({ variable, remedy }) => {
    const [name = ''] = /^\w+/.exec(variable) ?? [];
    const word = WORD_OF[name];
    const from = judging.source?.(variable);
    if (from !== undefined) return { name, says: oneLine(`${from}: ${variable} ${remedy}`) };
    const known = word === undefined ? variable : `--${word}`;
    return { name, says: oneLine(`${known}: ${name === variable ? '' : `${variable} `}${remedy}`) };
  });
}

/** Refuses what the gate would refuse first, by the word that sets it; with `only`, of that variable alone. */
export async function refuseWrong(vars: Readonly<Record<string, unknown>>, bound: readonly string[], only?: string): Promise<void> {
  const wrong = (await wrongWith(vars, bound)).find(({ name }) => only === undefined || name === only);
  if (wrong !== undefined) throw new Usage(wrong.says);
}

/** Names that no gate reads, in a line: a slip in one would be a setting that nobody made. */
export async function unreadOf(names: readonly string[]): Promise<readonly string[]> {
  const unread = (await checkProgram()).unread(names);
  const each = unread.map(({ name, meant }) => `${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`);
  return each.length === 0 ? [] : [oneLine(`--config has what no gate reads: ${each.join(', ')}`)];
}

/** What is wrong with the facilitators of these variables, as they say themselves; those that cannot be asked are a warning. */
export async function supportedBy(
  vars: Readonly<Record<string, unknown>>,
  say: (line: string) => void,
): ReturnType<Check['checkSupported']> {
  const { errors, warnings } = await (await checkProgram()).checkSupported(vars, (line) => say(oneLine(line)));
  return { errors: errors.map(oneLine), warnings: warnings.map(oneLine) };
}

/** A text of others in one line: a break in it would begin a line that looks like one of ours. */
const oneLine = (text: string): string => visible(text.replaceAll('\n', '‹U+000A›'));

/** How a facilitator that takes no request without a key wants to be asked. */
export async function keyed(url: string): Promise<string | undefined> {
  return (await checkProgram()).keyed(url);
}
