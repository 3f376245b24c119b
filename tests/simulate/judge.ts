// What must hold once all is over. It is judged by the chain's transfers, by answers, by what the origin did, and by what the operator is told.

import assert from 'node:assert/strict';

import type { Transfer } from './chain.ts';
import { ACCOUNTED, paidIn, type Row, rowsOf } from './rows.ts';
import type { Purchase, Steps } from './steps.ts';
import { type Exchange, SERIAL, type World } from './world.ts';

const STATUSES = [200, 400, 402, 403, 404, 409, 413, 425, 429, 500, 502, 503, 504];

/** One run of the origin, as a client got it. */
type Delivery = { readonly serial: string; readonly target: string; readonly receivers: ReadonlySet<string>; readonly whole: boolean };

/** Every promise; fails with all that were broken, and gives how many payments ended where. */
export async function judge(world: World, steps: Steps): Promise<string> {
  const rows = await rowsOf(world);
  const paid = paidIn(world);
  const broken = [
    ...unanswered(world.exchanges),
    ...unpaid(world, steps, rows, paid),
    ...paid.flatMap((transfer) => unaccounted(world, steps.purchases, rows, transfer)),
    ...invented(rows, paid),
  ];
  assert.equal(broken.length, 0, `${broken.length} broken:\n${broken.join('\n')}`);
  const audit = await world.operator('audit');
  for (const { difference } of audit['items'] as { difference: string }[]) assert.equal(difference, '0', JSON.stringify(audit));
  const ends = new Map<string, number>();
  for (const { state, reason } of rows) {
    const end = state === 'manual' ? `manual (${reason})` : state;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  return [...ends]
    .sort()
    .map(([state, count]) => `${state} ${count}`)
    .join(', ');
}

/** Every request is answered, unless workerd ended meanwhile, or the origin broke off. */
function unanswered(exchanges: readonly Exchange[]): string[] {
  return exchanges
    .filter(({ killed, text, status, code }) => !killed && !SERIAL.test(text) && (!STATUSES.includes(status) || code === 'not_configured'))
    .map((exchange) => `no answer: ${told(exchange)}`);
}

/** Rows that say that money has come which has not. */
function invented(rows: readonly Row[], paid: readonly Transfer[]): string[] {
  const known = new Set<string | null>(paid.map(({ hash }) => hash));
  return rows
    .filter(({ state, transaction }) => (state === 'delivered' || state === 'refund_due') && !known.has(transaction))
    .map(({ id, state, payer, transaction }) => `${id} of ${payer} is ${state}, and no transfer to the payee is ${transaction}`);
}

/**
 * Value delivered: each run that a client got has a transfer of its own, by one who got it, at a price that was asked for it.
 *
 * A payment that came without a secret may be resumed by whoever reads it on the chain, within a minute: docs/protocols.md.
 */
function unpaid(world: World, steps: Steps, rows: readonly Row[], paid: readonly Transfer[]): string[] {
  const addresses = new Map(steps.people().map(({ name, payer }) => [name, payer.address.toLowerCase()]));
  const owed = new Set(rows.filter(({ state }) => state === 'refund_due').map(({ transaction }) => transaction));
  const given = new Map<Transfer, Delivery>();
  const deliveries = deliveriesIn(world.exchanges, addresses);
  /** Gives a delivery a transfer, and those that had it another one. */
  const match = (delivery: Delivery, tried: Set<Transfer>): boolean =>
    paid.some((transfer) => {
      if (tried.has(transfer) || !canPay(world, steps.purchases, delivery, transfer) || (delivery.whole && owed.has(transfer.hash)))
        return false;
      tried.add(transfer);
      const holder = given.get(transfer);
      if (holder !== undefined && !match(holder, tried)) return false;
      given.set(transfer, delivery);
      return true;
    });
  return deliveries
    .filter((delivery) => !match(delivery, new Set()))
    .map(({ serial, target }) => `${serial} was delivered and not paid: ${history(world, target)}`);
}

function canPay(
  { exchanges, offers }: World,
  purchases: readonly Purchase[],
  { target, receivers }: Delivery,
  { from, value, nonce }: Transfer,
): boolean {
  const isForAll = () =>
    purchases.some(({ identifier, signed }) => identifier === undefined && signed.some((one) => one.nonce.toLowerCase() === nonce));
  return (
    offers.get(target)?.has(String(value)) === true &&
    exchanges.some((exchange) => exchange.target === target && exchange.nonce === nonce) &&
    (receivers.has(from) || isForAll())
  );
}

function deliveriesIn(exchanges: readonly Exchange[], addresses: ReadonlyMap<string, string>): Delivery[] {
  const found = new Map<string, Delivery>();
  for (const { target, text, status, who } of exchanges) {
    const serial = SERIAL.exec(text)?.[0];
    if (serial === undefined) continue;
    const before = found.get(serial);
    const receivers = new Set([...(before?.receivers ?? []), addresses.get(who) ?? who]);
    found.set(serial, { serial, target, receivers, whole: status === 200 || before?.whole === true });
  }
  return [...found.values()];
}

/** Value moved: it is in one row, and who is said to have got something for it has got it. */
function unaccounted(world: World, purchases: readonly Purchase[], rows: readonly Row[], transfer: Transfer): string[] {
  const own = rows.filter(({ transaction }) => transaction === transfer.hash);
  const purchase = purchases.find(({ signed }) => signed.some(({ nonce }) => nonce.toLowerCase() === transfer.nonce));
  const target = purchase?.target ?? world.exchanges.find(({ nonce }) => nonce === transfer.nonce)?.target ?? '';
  const where = `${transfer.value} by ${transfer.from}: ${history(world, target)}`;
  const [row] = own;
  if (row === undefined || own.length > 1) return [`${own.length} rows have the transfer of ${where}`];
  if (!ACCOUNTED.includes(row.state) || (row.state === 'manual' && !row.reason))
    return [`${row.state} for ${row.reason ?? 'no reason'}, and moved: ${where}`];
  if (row.state !== 'delivered' || purchase === undefined) return [];
  const answers = world.exchanges.filter(
    (exchange) => exchange.target === target && (purchase.identifier === undefined || exchange.who === purchase.person.name),
  );
  const got = answers.some(({ status, text }) => status === 200 && SERIAL.test(text));
  const lost = purchase.identifier === undefined && answers.some(({ status }) => status === 0);
  return got || lost ? [] : [`delivered, and its payer never got it: ${where}`];
}

/** All that was asked and answered about a target. */
function history({ exchanges }: World, target: string): string {
  return `${target}\n${exchanges
    .filter((exchange) => exchange.target === target)
    .map(told)
    .join('\n')}`;
}

function told({ who, what, target, nonce, status, code, text, killed }: Exchange): string {
  return `  ${who} ${what} at ${target} with ${nonce?.slice(0, 12) ?? 'nothing'}: ${status} ${code ?? SERIAL.exec(text)?.[0] ?? text.slice(0, 60)}${killed ? ', workerd ended' : ''}`;
}
