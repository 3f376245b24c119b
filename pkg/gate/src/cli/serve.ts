/** `npx farebox serve`: the gate on this machine, in front of any HTTP server. */
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { EXIT, Later, tell, Usage } from 'farebox/command';
import { checkProgram, keyed, localProgram, siblingsOf, supportedBy, unreadOf, wrongWith } from '../create/rules.js';
import { closedBefore, closedUntil, yetToCome } from '../serve/backup.js';
import { roomLine } from '../serve/disk.js';
import { type Front, type FrontOptions, openFront } from '../serve/front.js';
import { type Money, startMoney } from '../serve/money.js';
import { openTo, watchOrigin } from '../serve/open.js';
import { pagesOf } from '../serve/pages.js';
import { roomHere } from '../serve/places.js';
import { keepNames } from '../serve/rows.js';
import { type Runtime, startRuntime } from '../serve/runtime.js';
import { refuseWithout } from '../serve/secrets.js';
import {
  afterRestores,
  BEARER,
  deskLine,
  environmentOfPlay,
  inWords,
  knownSecrets,
  missing,
  pricesOf,
  type Said,
  sourceOf,
  tableOf,
  takenAway,
  tooLong,
  variables,
  varsOf,
} from '../serve/settings.js';
import { type Look, lookFor } from '../serve/shown.js';
import { waitState } from '../serve/state.js';

const HELP = `farebox serve: a gate on this machine, in front of any HTTP server

  npx farebox serve --origin URL --price 'PATH=PRICE' --pay-to ADDRESS

      --origin URL          the server behind the gate, such as http://localhost:3000
      --origin-network private  it is in this machine's own private network, such as http://app:3000
      --price 'PATH=PRICE'  a priced path, such as '/report=$0.01' or 'POST /ask=$0.05'; may be repeated.
                            Beside a price for POST alone, GET of that path is 405: add 'GET /ask=free' if it is free
      --pay-to ADDRESS      the address that is paid
      --network NAME        where it is paid; may be repeated [eip155:84532: test money]
      --facilitator URL     who settles [https://www.x402.org/facilitator on the test network]
      --rpc URL             a node of that network: it tells what became of a payment whose answer was lost. A URL with a key
                            belongs into RPC_URL of the environment: others see words
      --local               money of this machine alone, to try it: a chain, a facilitator and a key, with --pay-to if you like
      --config FILE         variables of docs/configuration.md as one JSON object; the words above win
      --state FOLDER        the rows of payments and the secrets; back it up [.farebox-gate; with --local .farebox-local]
      --host ADDRESS        where it listens [127.0.0.1]
      --port NUMBER         [8402]
      --check               says what is wrong with these words, the file and the secrets of this environment, asks the
                            facilitators what they support, and serves nothing
      --trust-proxy         a proxy in front of it writes X-Forwarded-For and X-Forwarded-Proto

Secrets come from the environment. Three of them are else in secrets.json of the state, which is made at the first start.
It ends by SIGTERM, SIGINT or SIGHUP, once requests under way have ended, within 60 seconds.
`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  origin: { type: 'string' },
  'origin-network': { type: 'string' },
  price: { type: 'string', multiple: true },
  'pay-to': { type: 'string' },
  network: { type: 'string', multiple: true },
  facilitator: { type: 'string' },
  rpc: { type: 'string' },
  local: { type: 'boolean', default: false },
  config: { type: 'string' },
  state: { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8402' },
  check: { type: 'boolean', default: false },
  'trust-proxy': { type: 'boolean', default: false },
} as const;

/** What is bound besides the objects. */
const BOUND = ['PAGES'];
/** How long requests under way may go on after a signal. */
const GRACE_MS = 60_000;
/** How long work may go on behind answers that have ended, such as the row of one that has just been read. */
const REST_MS = 2_000;

/** Serves until a signal comes. */
export async function serve(args: string[]): Promise<number> {
  const given = await withAuth(read(args));
  if (given.help === true) {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  const port = Number(given.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Usage('--port is a number from 0 to 65535');
  if (given.check) return check(given);
  // From here on: whoever ends it while it starts leaves no runtime behind.
  const { ended, again } = signals();
  // Nor does a reader of its log who leaves.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const folder = given.state ?? (given.local ? '.farebox-local' : '.farebox-gate');
  const state = await waitState(folder, ended, () =>
    tell(`${folder} was another container's half a minute ago: waiting until that is over\n`),
  );
  if (state === undefined) return EXIT.done;
  let runtime: Runtime | undefined;
  let money: Money | undefined;
  let front: Front | undefined;
  let look: Look | undefined;
  // At once: the other one's runtime reads the rows.
  state.taken.catch(() => void runtime?.stop(0));
  void again.then(() => {
    if (runtime !== undefined) return runtime.stop(0);
    state.leave();
    process.exit(EXIT.done);
  });
  try {
    money = given.local ? await localMoney(given) : undefined;
    const words = { ...given, ...(money === undefined ? {} : paidBy(money, given)) };
    const environment = money === undefined ? process.env : environmentOfPlay(process.env);
    const all = variables(words, state.secrets, environment);
    const times = closedBefore(state.folder);
    const vars = afterRestores(all, times);
    await refuseWrong(words, vars, { hasSecrets: true });
    refuseWithout(all, state.secretsFile);
    // A wrong working folder or a volume without a name looks like a first start.
    if (await keepNames(state.folder, state.rows, all))
      tell(`${state.folder} is new: this gate knows no payments of before. If it had some, name their folder by --state\n`);
    const said = varsOf(words);
    const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
    const pages = join(root, 'pages');
    const log = (text: string): void => void process.stderr.write(text);
    const gate = join(root, 'worker');
    const running = startRuntime({ gate, pages, rows: state.rows, files: state.files, vars, began: state.runs, log });
    runtime = running;
    look = lookFor(String(vars['ORIGIN_URL']), state.folder);
    const starting = Promise.all([running.answers(), Promise.race([look.first, look.shown])]);
    starting.catch(() => {});
    const isEnded = await Promise.race([ended.then(() => true), starting.then(() => false)]);
    if (isEnded) return EXIT.done;
    const files = pagesOf(pages, join(root, 'serve', 'headers.json'));
    front = await listens({
      host: words.host,
      port,
      get socket() {
        return running.socket();
      },
      pages: files,
      networkOf: (await checkProgram()).clientNetwork,
      room: roomHere(),
      folder: state.folder,
      answered: watchOrigin(String(vars['ORIGIN_URL']), tell),
      log: tell,
      trustsProxy: words['trust-proxy'],
    });
    tell(`${front.url} asks for payment in front of ${vars['ORIGIN_URL']}, on ${vars['NETWORK']}\n`);
    for (const line of pricesOf(said)) tell(`${line}\n`);
    const token = environment['OPERATOR_TOKEN'];
    tell(`${deskLine(front.url, vars['OPERATOR_TOKEN'], token !== undefined, state.secretsFile)}\n`);
    for (const line of takenAway(words, environment)) tell(`${line}\n`);
    for (const line of [yetToCome(times), closedUntil(times, vars['MAX_VALIDITY_SECS'])]) if (line !== undefined) tell(`${line}\n`);
    const room = money === undefined ? roomLine(state.rows, vars) : undefined;
    if (room !== undefined) tell(`${room}\n`);
    const open = money === undefined ? await openTo(String(vars['ORIGIN_URL'])) : undefined;
    if (open !== undefined) tell(`${open} may be that server without the gate: let it listen on 127.0.0.1, or everything there is free\n`);
    const free = await siblingsOf(vars, BOUND);
    for (const line of free) tell(`${line}\n`);
    if (free.length > 0) tell('  price these as well, or set DEFAULT to deny in the file of --config\n');
    if (money !== undefined) {
      const store = join(relative('', state.folder) || '.', 'budget');
      tell(`its money is of this machine alone: the chain is ${money.rpc} and the facilitator ${money.facilitator}\n\n`);
      tell(`${(await localProgram()).buying({ url: front.url, routes: tableOf(said), key: money.key, store })}\n`);
    }
    await Promise.race([ended, running.lost, state.taken, look.shown]);
    running.ending();
    const until = Date.now() + GRACE_MS;
    tell('ending: requests under way go on for up to a minute\n');
    // The runtime before its connections: it would take their end for that of its clients, and what was cut for delivered.
    const cut = (): Promise<void> => running.stop(0);
    await Promise.race([front.close(GRACE_MS, cut), again.then(() => front?.close(0, cut))]);
    await running.rests(REST_MS);
    await running.stop(Math.max(until - Date.now(), 0));
    return EXIT.done;
  } finally {
    look?.stop();
    // The rows are free once nothing reads them.
    await runtime?.stop(GRACE_MS);
    await front?.close(0);
    money?.stop();
    state.leave();
  }
}

/** Says what the gate would refuse, and starts nothing. */
async function check(given: Given): Promise<number> {
  if (given.local) throw new Usage('--check looks at what is served for real: leave out --local');
  const vars = variables(given, {}, process.env);
  await refuseWrong(given, vars, { hasSecrets: true });
  const { errors, warnings } = await supportedBy(vars, (line) => tell(`${line}\n`));
  for (const says of warnings) tell(`note: ${says}\n`);
  if (errors.length > 0) throw new Usage(errors.join('\nfarebox: '));
  tell('nothing is wrong with the words and the file\n');
  return EXIT.done;
}

/** Refuses all at once that the gate would refuse of words and file, and of the variables that they make. */
async function refuseWrong(
  words: Said,
  vars: Readonly<Record<string, string>>,
  { hasSecrets = false }: { readonly hasSecrets?: boolean } = {},
): Promise<void> {
  const said = varsOf(words);
  const unread = await unreadOf(Object.keys(said).filter((name) => !BEARER.test(name) && name !== '$schema'));
  // Without a facilitator nothing else is judged: a network of a wrong name has none.
  const whole = { ...vars, FACILITATOR_URL: vars['FACILITATOR_URL'] ?? said['ORIGIN_URL'] };
  const wrong = await wrongWith(whole, BOUND, { source: (variable) => sourceOf(words, variable), hasSecrets });
  const isMisnamed = wrong.some(({ name }) => name === 'NETWORK');
  const gaps = missing(said);
  const rest = wrong.filter(({ name }) => !gaps.some((gap) => gap.name === name));
  const told = [...gaps.filter(({ name }) => !(isMisnamed && name === 'FACILITATOR_URL')), ...rest];
  const elsewhere = needsCloudflare(said).map((what) => `--config: ${what} needs Cloudflare: leave it out`);
  const lines = [...knownSecrets(words), ...unread, ...told.map(({ says }) => inWords(says)), ...elsewhere, ...tooLong(vars)];
  if (lines.length > 0) throw new Usage(lines.join('\nfarebox: '));
}

/** What only Cloudflare carries out. Elsewhere the client's host would be what is asked, whoever has written it. */
function needsCloudflare(said: Readonly<Record<string, unknown>>): string[] {
  return [
    ...(said['LEDGER_JURISDICTION'] === undefined ? [] : ['LEDGER_JURISDICTION']),
    ...(said['ORIGIN_HOST'] === 'client' ? ['ORIGIN_HOST = "client"'] : []),
  ];
}

/** Starts the money of `--local`, unless it would stand in for other money. */
async function localMoney(given: Given): Promise<Money> {
  for (const name of ['facilitator', 'rpc'] as const)
    if (given[name] !== undefined) throw new Usage(`--local has its own: leave out --${name}`);
  const vars = varsOf(given);
  if (!(await localProgram()).canBeLocal(vars['NETWORK'])) throw new Usage('--local stands in for base-sepolia alone: leave out --network');
  const routes = JSON.stringify(tableOf(vars) ?? null);
  const [long] = tooLong({ ROUTES: routes });
  if (long !== undefined) throw new Usage(long);
  return startMoney(routes);
}

/** The words that local money says in the place of others; who names no address is paid at one of its accounts. */
function paidBy({ facilitator, rpc, payee }: Money, given: Given) {
  const isNamed = varsOf(given)['PAY_TO'] !== undefined;
  return { facilitator, rpc, ...(isNamed ? {} : { 'pay-to': payee }) };
}

async function listens(options: FrontOptions): Promise<Front> {
  return openFront(options).catch((error: NodeJS.ErrnoException) => {
    const says = `--host ${options.host} --port ${options.port}: ${error.message}`;
    // A port that is taken is given back, and an address may come.
    throw error.code === 'EACCES' ? new Usage(says) : new Later(says);
  });
}

/**
 * The first signal and the second one. Each is heard for as long as this process lives: one that nobody hears would end it at once, and leave its
 * runtime with the rows. A terminal that closes says SIGHUP.
 */
function signals(): { readonly ended: Promise<void>; readonly again: Promise<void> } {
  const heard: (() => void)[] = [];
  const next = (): Promise<void> => new Promise((resolve) => heard.push(resolve));
  const [ended, again] = [next(), next()];
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => heard.shift()?.());
  return { ended, again };
}

type Given = ReturnType<typeof read> & Pick<Said, 'auth'>;

/** The words, with how a facilitator that takes no request without a key is asked, as a project is written with it. */
async function withAuth(given: ReturnType<typeof read>): Promise<Given> {
  return given.facilitator === undefined ? given : { ...given, auth: await keyed(given.facilitator) };
}

function read(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch (error) {
    throw new Usage(`${(error as Error).message}; --help says what there is`);
  }
}
