/** What an operator asks a gate, and decides there. Spec: docs/operations.md, "Operator API". */
import type { Members } from '../../members.js';
import { itemsOf, type Operator, Refused, textOf } from '../../operator/client.js';
import {
  beginOf,
  beginRefund,
  checkOwed,
  decide,
  dropRefund,
  isByHand,
  isComing,
  linkOf,
  payerOf,
  placeOf,
  transferOf,
  UNREAD_PAYER,
} from '../../operator/transfer.js';
import { tell, visible } from '../terminal.js';
import { EXIT, Usage } from '../words.js';
import { only, pages, reasonOf } from './pages.js';
import { amountOf, type Column, plain, printList, printOne } from './table.js';
import type { Spoken } from './words.js';

const PAYMENTS: readonly Column[] = [
  plain('CREATED', 'created'),
  plain('STATE', 'state'),
  ['AMOUNT', (item) => amountOf(item)],
  plain('ROUTE', 'route'),
  ['PAYER', payerOf],
  plain('ID', 'id'),
];
/** What is owed is often another's debt: whose wallet was paid stands beside whom it is owed to. */
const OWED: readonly Column[] = PAYMENTS.toSpliced(-1, 0, plain('PAYEE', 'payee'));
const CHANNELS: readonly Column[] = [
  plain('STATE', 'state'),
  ['DEPOSIT', (item) => amountOf(item, 'deposit')],
  ['SPENT', (item) => amountOf(item, 'spent')],
  plain('PAYER', 'payer'),
  plain('ID', 'id'),
];
const FAILURES: readonly Column[] = [
  // Of failures for want of funds, which are no attempts, the times alone are counted.
  ['FAILURES', (item) => String(Math.max(Number(textOf(item, 'attempts')), Number(textOf(item, 'times'))))],
  plain('LAST', 'last'),
  plain('CODE', 'code'),
  plain('CAUSE', 'cause'),
  plain('ROUTE', 'route'),
  plain('CLIENT', 'client'),
];
/** Words that say which payments a list has. */
const FILTERS = ['state', 'payer', 'route', 'from', 'to', 'transaction'] as const;
/** How often a gate is asked whether it finds a refund on the chain, and how long lies between. */
const LOOKS = 30;
const LOOK_MS = 4_000;

/** Lists payments of one state, or of all, page by page. */
export async function payments(operator: Operator, { values, given }: Spoken): Promise<number> {
  const [id] = given;
  if (id !== undefined && !id.startsWith('rcpt_')) throw new Usage('the id of a payment begins with rcpt_, as the list shows it');
  if (id !== undefined) {
    const filter = FILTERS.find((word) => values[word] !== undefined);
    if (filter !== undefined) throw new Usage(`payments takes an id, or --${filter} for a list`);
    printPayment(await operator.read(placeOf(id)), values.json === true);
    return EXIT.done;
  }
  return paymentsIn(operator, values.state, PAYMENTS, values);
}

/** Lists what is owed. */
export const owed = (operator: Operator, { values }: Spoken): Promise<number> => paymentsIn(operator, 'refund_due', OWED, values);

function paymentsIn(operator: Operator, state: string | undefined, columns: readonly Column[], values: Spoken['values']): Promise<number> {
  const { payer, route, from, to, transaction } = values;
  return pages(operator, '/_farebox/payments', { state, payer, route, from, to, transaction }, columns, values);
}

export const channels = (operator: Operator, { values }: Spoken): Promise<number> =>
  pages(operator, '/_farebox/channels', {}, CHANNELS, values);

/** Lists clients that fail to pay. */
export async function failures(operator: Operator, { values }: Spoken): Promise<number> {
  const { route, limit } = values;
  printList(itemsOf(await operator.read('/_farebox/failures', { route, limit })), FAILURES, values.json === true);
  return EXIT.done;
}

/** Prints what a day brought. */
export async function totals(operator: Operator, { values }: Spoken): Promise<number> {
  const said = await operator.read('/_farebox/totals', { day: values.day });
  const columns: readonly Column[] = [
    plain('ROUTE', 'route'),
    ['SETTLED', (item) => amountOf(item, 'settled')],
    plain('NETWORK', 'network'),
  ];
  printList(itemsOf(said), columns, values.json === true);
  return EXIT.done;
}

/** Compares the books with themselves: a difference is exit code 1. */
export async function audit(operator: Operator, { values }: Spoken): Promise<number> {
  const items = itemsOf(await operator.read('/_farebox/audit'));
  printList(items, [plain('NETWORK', 'network'), plain('ASSET', 'asset'), plain('DIFFERENCE', 'difference')], values.json === true);
  return items.every((item) => textOf(item, 'difference') === '0') ? EXIT.done : EXIT.failed;
}

/** Says how to pay a debt back; with the transaction that did, reports it and waits until the gate finds it. */
export async function refund(operator: Operator, { values, given }: Spoken): Promise<number> {
  const id = only(given, 'refund is followed by the id of a payment');
  const payment = await operator.read(placeOf(id));
  if (textOf(payment, 'id') !== id) throw new Usage('the gate answered with another payment than the one that was asked for');
  if (values.transaction !== undefined) return reported(operator, id, values.transaction, values.json === true);
  const unsent = values['not-sent'];
  if (unsent !== undefined) {
    if (!/^[1-9]\d{0,14}$/.test(unsent))
      throw new Usage('--not-sent is followed by the number of the begin, as the command that began it prints it');
    return told(() => dropRefund(operator, id, Number(unsent), values.key), values.json === true);
  }
  // A debt of another wallet is its owner's.
  const own = values['pay-to'] ?? process.env['PAY_TO'];
  if (own === undefined) throw new Usage('--pay-to ADDRESS is missing: the address that your gate is paid at, with commas between several');
  const byHand = isByHand(payment);
  usable(() => (byHand ? checkOwed(payment, own) : transferOf(payment, own)));
  const begun = textOf(payment, 'refunding');
  const program = textOf(payment, 'refunding_key');
  if (program !== '')
    throw new Usage(
      `the program ${program} sees to it since ${begun}: leave it to that. If it never will: npx farebox refund ${id} --not-sent ${beginOf(payment)} --key ${program}`,
    );
  const again = `npx farebox refund ${id}`;
  if (begun !== '')
    throw new Usage(
      `a refund of it was begun at ${begun}, and may have been sent: report it (${again} --transaction HASH), or say that it was not (${again} --not-sent ${beginOf(payment)})`,
    );
  const owed = await begin(operator, id, values.restored === true);
  if (byHand) printPayment(owed, values.json === true);
  else printTransfer(owed, own, values.json === true);
  const [payer, network] = [payerOf(owed), textOf(owed, 'network')];
  const to = payer === '' ? 'whoever sent the transaction that paid' : payer;
  tell(`Refund of ${amountOf(owed)} (${textOf(owed, 'amount')} atomic units) to ${to}: ${textOf(owed, 'reason')}.\n`);
  const how = byHand ? `Make the transfer on ${network} in` : values.json === true ? 'Sign it in' : 'Open the link in';
  tell(`${how} the wallet of ${textOf(owed, 'payee')}.\n`);
  tell(`Send it once, then: ${again} --transaction <its hash>\n`);
  tell(`If you do not send it: ${again} --not-sent ${beginOf(owed)}\n`);
  return EXIT.done;
}

/** Prints the transfer of a refund, as a link or as a transaction. */
function printTransfer(owed: Members, own: string, isJson: boolean): void {
  const transfer = usable(() => transferOf(owed, own));
  if (isJson) printOne({ ...transfer }, true);
  else process.stdout.write(`${linkOf(owed, own)}\n`);
}

async function begin(operator: Operator, id: string, isUnpaidSince: boolean): Promise<Members> {
  try {
    return await beginRefund(operator, id, isUnpaidSince);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'refund_restored') throw error;
    throw new Usage(
      `the ledger was restored from a backup since: look for a transfer to this payer, and report it with --transaction HASH; if there is none, add --restored`,
    );
  }
}

async function reported(operator: Operator, id: string, transaction: string, isJson: boolean): Promise<number> {
  for (let look = 1; ; look += 1) {
    try {
      printPayment(await decide(operator, id, 'refunded', { transaction }), isJson);
      return EXIT.done;
    } catch (error) {
      if (!isComing(error) || look >= LOOKS) throw error;
      if (look === 1)
        tell(
          `The gate does not find this transfer to the payer in that transaction yet, or does not answer (${(error as Error).message}). It is asked again for ${(LOOKS * LOOK_MS) / 60_000} minutes; if the hash is another one's, end this and report the right one.\n`,
        );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Notes that nothing is owed. */
export async function waive(operator: Operator, { values, given }: Spoken): Promise<number> {
  const id = only(given, 'waive is followed by the id of a payment');
  return told(() => decide(operator, id, 'waived', { reason: reasonOf(values.reason) }), values.json === true);
}

/** Decides a payment that waits for a person. */
export async function resolve(operator: Operator, { values, given }: Spoken): Promise<number> {
  const id = only(given, 'resolve is followed by the id of a payment');
  const { as, transaction } = values;
  if (as === undefined) throw new Usage('what became of it is missing: --as delivered, refund_due, waived or void');
  const body = { as, reason: reasonOf(values.reason), ...(transaction === undefined ? {} : { transaction }) };
  return told(() => decide(operator, id, 'resolve', body), values.json === true);
}

/** Prints all payments, or all channels, for a table program or as lines of JSON. */
export async function exported(operator: Operator, { values }: Spoken): Promise<number> {
  const { format = 'csv', from, to, of } = values;
  const end = await operator.copy('/_farebox/export', { format, from, to, of }, (text) =>
    process.stdout.write(process.stdout.isTTY ? visible(text) : text),
  );
  // The whole line, because a row has texts of others.
  if (!/^(?:incomplete,\w+\r?|\{"incomplete":"\w+"\})$/.test(end)) return EXIT.done;
  tell('farebox: the export is incomplete, as its last line says: export it in parts, with --from and --to\n');
  return EXIT.failed;
}

async function told(deed: () => Promise<Members>, isJson: boolean): Promise<number> {
  printPayment(await deed(), isJson);
  return EXIT.done;
}

/** Prints a payment, for people without a key in the place of a payer. */
function printPayment(payment: Members, isJson: boolean): void {
  const isRead = isJson || payerOf(payment) === textOf(payment, 'payer');
  printOne(isRead ? payment : { ...payment, payer: UNREAD_PAYER }, isJson);
}

function usable<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Usage((error as Error).message);
  }
}
