/** The words of the command line: what it understands, what it exits with, what it says about itself. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** The codes with which the program exits. */
export const EXIT = {
  /** The content that was asked for came, free or paid. */
  done: 0,
  /** The server answered with an error status. */
  failed: 1,
  /** An argument, a key, a file or the policy cannot be used; nothing was sent or signed. */
  usage: 2,
  /** Not paid: the policy, the person or the terms say no; nothing was signed. */
  unpaid: 3,
  /** A payment was signed and may be charged, and what was bought did not come as it should. */
  signed: 4,
  /** No answer came; nothing was signed. */
  lost: 5,
  /** What stands in the way may pass; the same command may do later. As a mail program says it (EX_TEMPFAIL). */
  later: 75,
} as const;

export const HELP = `farebox: pays for HTTP requests with x402 and MPP, once, and never more than allowed

  npx farebox find WORDS    what a bazaar lists for these words, and what your policy says; signs nothing
  npx farebox look URL      what it costs, who asks, and what your policy says; signs nothing
  npx farebox pay URL       pays if it has to, prints the content; asks before it signs
  npx farebox resend FILE   sends a payment again that pay has kept, and prints the content; signs nothing
  npx farebox spent         what is spent of each cap, what is open, and receipts: of --store FOLDER, also that of farebox-mcp
  npx farebox unblock URL   lets calls out again where a server asked to stop; -X for one method alone
  npx farebox receipt TEXT  reads a receipt: a PAYMENT-RESPONSE or Payment-Receipt header, or - for standard input
  npx farebox link create AMOUNT SYMBOL RECIPIENT    makes a payment by link at your treasury, prints its URL
  npx farebox link pay URL  pays a link once, as pay does, and follows it to its end
  npx farebox skill WORD    sells at a market: publish FILE, version ID FILE, rotate ID, withdraw ID
  npx farebox completion bash    completes these names; or zsh, fish

For operators (--help after each lists all):
  npx farebox payments, owed, refund, waive, resolve, totals, audit, failures, channels, export    of a gate
  npx farebox reviews, approve, deny, disable, audit, export    of a treasury
  npx farebox waiting, holds, ask, end, jobs, sellers, takeback    of a market

With the package farebox-gate, for a gate on this machine (--help after each says how):
  npx farebox serve         runs it, in front of any HTTP server
  npx farebox backup TARGET, restore SOURCE    its rows and secrets; with --at URL the rows of a gate anywhere

With the package farebox-gate, for a gate on Cloudflare (--help after each says how):
  npx farebox init          makes the small project that deploys it; npm create farebox does so in a new folder
  npx farebox check         checks its wrangler.toml
  npx farebox dev           runs it on this machine, and prints the lines that buy
  npx farebox deploy        checks it, deploys it, and says which secrets are missing
  npx farebox upgrade       says what this version of farebox changes for it

Requests (look, pay, unblock; of find and spent only what follows --policy; of resend only --store and --json):
  -X, --method METHOD       [GET, with -d POST]
  -d, --data TEXT           the body; @FILE reads a file, @- standard input
  -H, --header 'NAME: TEXT' may be repeated
      --policy FILE         a policy as JSON, see the README
      --max AMOUNT          most for one payment, over the policy's perPayment
      --per-day AMOUNT      most in a day, over the policy's perDay
      --network NAME        only this network; may be repeated
      --store FOLDER        where spending is counted [~/.farebox/budget]
      --json                the answer of find, look, spent and receipt, and the receipt of pay, as JSON

find:
      --facilitator URL     whose bazaar [Coinbase's]
      --limit NUMBER        how many, 1 to 100 [10]

pay, link pay:
      --yes                 signs without asking, within the policy
      --pay-again           signs beside what another key has signed, once that has ended: both may be charged

pay, link pay, skill:
      --key-file FILE       the private key; otherwise the environment's FAREBOX_PRIVATE_KEY, never an argument

link create:
      --treasury URL        where it is made; the environment's FAREBOX_OPERATOR_TOKEN lets you; --network names its network

skill:
      --market URL          where it is sold; FILE describes it as JSON, - is standard input
      --secret-file FILE    keeps the secret in a file that you alone read, and prints none
      --show-secret         prints it after version too

receipt:
      --keys ORIGIN         compares the signer with the keys that this gate publishes

Content goes to standard output, everything else to standard error.
Exit codes: 0 done, 1 the server answered with an error, 2 wrong usage, 3 not paid and nothing signed,
4 signed but not delivered as it should be, 5 no answer came and nothing was signed, 75 what stands in the way
of serve, backup or restore may pass: later the same command may do.
`;

/** A sentence for the person who wrote the command. */
export class Usage extends Error {}

/** A sentence about what may pass by itself: nothing about the words has to change. */
export class Later extends Usage {}

export type Words = ReturnType<typeof read>;

/** Reads the arguments. Their values are never repeated: one may be a key. */
export function read(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const name = /'(?:-\w, )?(--?[a-z][a-z-]{0,20})(?: <value>)?'/.exec((error as Error).message)?.[1];
    if (name?.startsWith('--key') === true || name?.startsWith('--private') === true) {
      throw new Usage('a key is never an argument, which other programs can read: set FAREBOX_PRIVATE_KEY, or pass --key-file FILE');
    }
    throw new Usage(name === undefined ? 'an argument is not understood' : `${name} is not understood, or its value is missing`);
  }
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  method: { type: 'string', short: 'X' },
  data: { type: 'string', short: 'd' },
  header: { type: 'string', short: 'H', multiple: true },
  policy: { type: 'string' },
  max: { type: 'string' },
  'per-day': { type: 'string' },
  'pay-again': { type: 'boolean' },
  network: { type: 'string', multiple: true },
  store: { type: 'string' },
  json: { type: 'boolean' },
  yes: { type: 'boolean' },
  'key-file': { type: 'string' },
  keys: { type: 'string' },
  market: { type: 'string' },
  'secret-file': { type: 'string' },
  'show-secret': { type: 'boolean' },
  facilitator: { type: 'string' },
  limit: { type: 'string' },
  treasury: { type: 'string' },
} as const;

/** The version of this package. */
export function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

/** A package as `npm run pack` writes it. It is not on npm yet: by its name alone a program of somebody else would come. */
export const packedFile = (name: string): string => `/path/to/${name}-${version()}.tgz`;
