/** The words of an operator's commands. */
import { parseArgs } from 'node:util';

import { Usage } from '../words.js';

/** The names of the commands. */
export const OPERATE = [
  'payments',
  'owed',
  'refund',
  'waive',
  'resolve',
  'totals',
  'audit',
  'failures',
  'channels',
  'export',
  'reviews',
  'approve',
  'deny',
  'disable',
  'waiting',
  'holds',
  'ask',
  'end',
  'jobs',
  'sellers',
  'takeback',
] as const;

type Command = (typeof OPERATE)[number];

/** Each command takes these words beside `--help` and `--at`, and so many names: what it would not read is refused. */
const TAKES: Readonly<Record<Command, readonly [words: string, names: number]>> = {
  payments: ['json limit state payer route from to transaction', 1],
  owed: ['json limit payer route from to transaction', 0],
  refund: ['json transaction not-sent key pay-to restored', 1],
  waive: ['json reason', 1],
  resolve: ['json reason as transaction', 1],
  totals: ['json day', 0],
  audit: ['json org', 0],
  failures: ['json limit route', 0],
  channels: ['json limit', 0],
  export: ['format of from to org', 0],
  reviews: ['json limit state org', 1],
  approve: ['json org', Number.POSITIVE_INFINITY],
  deny: ['json org', Number.POSITIVE_INFINITY],
  disable: ['json org', 1],
  waiting: ['json profile', 0],
  holds: ['json limit state leave profile', 1],
  ask: ['json profile', Number.POSITIVE_INFINITY],
  end: ['json profile', Number.POSITIVE_INFINITY],
  jobs: ['json limit state seller profile', 1],
  sellers: ['json limit seller profile', 0],
  takeback: ['json reason', 1],
};

export const HELP = `farebox for operators: a gate, a treasury or a market, from a terminal

Of a gate:
  npx farebox payments [ID]     payments, newest first, or one with its history
  npx farebox owed              refunds that are due, and the payee who owes each
  npx farebox refund ID         begins it, and says how to pay it back: a link for your wallet, with --json the transaction;
                                on networks but EVM's it prints the payment, and you make the transfer
  npx farebox refund ID --transaction HASH    reports it, and waits until the gate finds it on the chain
  npx farebox refund ID --not-sent NUMBER     takes back that begin of a refund
  npx farebox waive ID          notes that nothing is owed
  npx farebox resolve ID        decides a payment that waits for a person
  npx farebox totals            what a day brought, by route
  npx farebox audit             compares the books with themselves; exit code 1 if they differ
  npx farebox failures          clients that fail to pay
  npx farebox channels          payment channels of sessions
  npx farebox export            all payments, or channels, as CSV or lines of JSON

Of a treasury:
  npx farebox reviews [ID]      payments that wait for a person, or one with the header fields and the body that an approval covers
  npx farebox approve ID        lets one be made, once; more ids may follow
  npx farebox deny ID
  npx farebox disable AGENT     ends an agent at once: it signs nothing more, and its keys, tokens and reviews end with it
  npx farebox audit             what the payments come to: signed, void, counted in the budgets, confirmed, open
  npx farebox export            all decisions with their payments, as CSV or lines of JSON

Of a market and its exchange:
  npx farebox waiting           money that waits for a person, and why
  npx farebox holds [PAYMENT]   money that is held for jobs, or that of one payment
  npx farebox ask PAYMENT       has the treasury, or the gate, asked at once for what waits; more may follow
  npx farebox end PAYMENT       ends the job of money that waits as paid_back; nothing moves
  npx farebox jobs [ID]         jobs, newest first, or one with its money and its events
  npx farebox sellers           sellers, who was heard of last first
  npx farebox takeback SKILL    takes a skill off the list of the market

      --at URL              the Worker [the environment's FAREBOX_URL]
      --json                for programs
      --limit NUMBER        most items of a list [50]
      --state, --payer, --route, --from, --to, --transaction    payments: which; owed: the same but --state; failures: --route;
                            export: --from, --to
      --transaction HASH    refund: the one that was sent; resolve: the one that paid
      --state WORD          reviews: open [open], approved, denied, used or expired; jobs, holds: as docs/exchange.md names them
      --leave WORD          holds: release or refund
      --seller WALLET       jobs, sellers: whose
      --profile NAME        the network profile of an exchange, if it has several [the first]
      --pay-to ADDRESS      refund: the gate's PAY_TO, also its JSON, or with commas between several [the environment's PAY_TO]
      --key NAME            refund --not-sent: the program that began it
      --restored            refund: no transfer was made since the backup that the gate was restored from
      --reason TEXT         waive, resolve, takeback: kept in the books
      --as WORD             resolve: delivered, refund_due, waived or void
      --day DAY             totals: such as 2026-01-31 [today]
      --format, --of        export: csv [csv] or jsonl; channels
      --org NAME            the organization of a treasury, if it has several

The token is the environment's FAREBOX_OPERATOR_TOKEN, never an argument.
Exit codes: 0 done, 1 the Worker answered with an error, 2 wrong usage, 5 no answer came.
`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  at: { type: 'string' },
  limit: { type: 'string' },
  state: { type: 'string' },
  payer: { type: 'string' },
  route: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  transaction: { type: 'string' },
  'pay-to': { type: 'string' },
  'not-sent': { type: 'string' },
  key: { type: 'string' },
  restored: { type: 'boolean' },
  reason: { type: 'string' },
  as: { type: 'string' },
  day: { type: 'string' },
  format: { type: 'string' },
  of: { type: 'string' },
  org: { type: 'string' },
  leave: { type: 'string' },
  seller: { type: 'string' },
  profile: { type: 'string' },
} as const;

export type Spoken = { readonly values: ReturnType<typeof parse>['values']; readonly given: readonly string[] };

/** What stands after the command's name, of which it reads each word. */
export function spokenIn(name: Command, args: readonly string[]): Spoken {
  const { values, positionals: given } = parse(args);
  if (values.help === true) return { values, given };
  const [words, names] = TAKES[name];
  const known = ['at', ...words.split(' ')];
  const strange = Object.keys(values).find((word) => !known.includes(word));
  if (strange !== undefined) throw new Usage(`${name} takes no --${strange}, but ${known.map((word) => `--${word}`).join(', ')}`);
  if (given.length > names)
    throw new Usage(`${name} takes ${names === 0 ? 'no name' : 'one id'}: ${given.slice(names).join(' ')} is too much`);
  return { values, given };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const name = /'(?:-\w, )?(--?[a-z][a-z-]{0,20})(?: <value>)?'/.exec((error as Error).message)?.[1];
    throw new Usage(`${name ?? 'an argument'} is not understood, or its value is missing; --help says what there is`);
  }
}
