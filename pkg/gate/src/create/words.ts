/** The words of `npm create farebox` and `farebox init`. */
import { parseArgs } from 'node:util';

import { Usage } from 'farebox/command';

/** The projects that can be made, and what each of them is. */
export const TEMPLATES = {
  gate: 'a gate in front of any HTTP origin',
  'gate-worker': 'a gate in front of a Worker, by a service binding',
  hono: 'a Hono app with the gate in the same Worker',
  static: 'static files behind a gate',
  treasury: 'one wallet for many agents, with budgets and reviews',
  market: 'a market of skills, behind a gate',
} as const;

export type Template = keyof typeof TEMPLATES;

/** The words that were said; values that are absent are asked for, or have a default. */
export type Spoken = ReturnType<typeof read>;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  template: { type: 'string' },
  name: { type: 'string' },
  'pay-to': { type: 'string' },
  network: { type: 'string', multiple: true },
  origin: { type: 'string' },
  service: { type: 'string' },
  price: { type: 'string', multiple: true },
  facilitator: { type: 'string' },
  rpc: { type: 'string' },
} as const;

/** Reads the words after the command. */
export function read(args: readonly string[]) {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    throw new Usage(`${(error as Error).message}; --help says what there is`);
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) throw new Usage('one folder is enough; --help says what there is');
  return { ...values, folder: positionals[0] };
}

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });

/** Says how it is called. */
export function helpOf(begin: string): string {
  const list = Object.entries(TEMPLATES).map(([name, what]) => `  ${name.padEnd(12)} ${what}`);
  return `Makes a small project that deploys Farebox to Cloudflare. It overwrites no file and installs nothing.

  ${begin} --template NAME --pay-to ADDRESS --origin URL --price 'PATH=PRICE'

      --template NAME       [gate]; the list is below
      --pay-to ADDRESS      the address that is paid
      --network NAME        where it is paid, such as base-sepolia (test money) or base; may be repeated [eip155:84532, Base Sepolia]
      --price 'PATH=PRICE'  a priced path, such as '/report=$0.01' or 'POST /ask=$0.05'; may be repeated
      --origin URL          gate: the server behind it; treasury: the server that agents may pay; market: the address of its gate
      --service NAME        gate-worker: a Worker that you have already; market: the Worker that is its gate
      --facilitator URL     who settles [https://www.x402.org/facilitator on the test network]
      --rpc URL             a node of that network: it tells what became of a payment whose answer was lost
      --name NAME           of the Worker [the name of the folder]

${list.join('\n')}

What is missing is asked for at a terminal. Secrets are made at random, in .dev.vars, which git ignores.
`;
}
