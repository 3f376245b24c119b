// What must hold of every payment once the kills are over: counted on the chain, at the origin and in answers.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { parseEventLogs } from 'viem';

import { type Campaign, poll } from './campaign.ts';
import { EXPECTED } from './expected.ts';
import { type Answer, get, type Payment, send, transactionIn } from './payments.ts';
import type { Row } from './rows.ts';
import { PRICE_ATOMIC, type World } from './world.ts';

/** An authorization that was never used is proved dead a minute after its end, by a block of that time. */
const DRAIN_MS = 180_000;
const LOOK_MS = 300;
/** A look stops workerd while its files are copied: it runs for at least so many times as long before the next one. */
const RUN_PER_LOOK = 4;
/** Between two blocks that are made for that proof: the chain of these tests makes none by itself. */
const BLOCK_MS = 2_000;
/** Repeats of a payment whose outcome stays unknown, before it is believed. */
const REPEATS = 3;
const RESEND_GAP_MS = 1_100;
/** Seconds by which an alarm may come late. */
const LATE_SECS = 5;

/** Waits until nobody works on any row; then, where the ledger does not do it, payers end what is unknown. */
export async function drain(campaign: Campaign): Promise<void> {
  await campaign.settled();
  let open: string[] = [];
  let mined = performance.now();
  await poll(
    'rest of every row',
    async () => {
      const began = performance.now();
      const rows = [...(await campaign.rows())];
      await sleep(RUN_PER_LOOK * (performance.now() - began));
      if (rows.some(([, { state }]) => state === 'unknown') && performance.now() - mined > BLOCK_MS) {
        mined = performance.now();
        await campaign.world.chain.rpc('evm_mine', []);
      }
      open = rows.filter(([, row]) => !EXPECTED.rest.includes(row.state) || isOverdue(row)).map(([id, { state }]) => `${id} is ${state}`);
      return open.length === 0;
    },
    () => open.join(', '),
    DRAIN_MS,
    LOOK_MS,
  );
  if (EXPECTED.unknownEndsBy === 'repeat') {
    const rows = await campaign.rows();
    await Promise.all(
      campaign.payments.filter(({ id }) => rows.get(id)?.state === 'unknown').map((payment) => repeat(campaign.world, payment)),
    );
    await campaign.settled();
  }
}

/** Whether an alarm should have come that did not. */
function isOverdue({ due }: Row): boolean {
  return due != null && due + LATE_SECS < Date.now() / 1000;
}

async function repeat({ gate }: World, payment: Payment): Promise<void> {
  // The gate sends one payment at most once a second; a repeat before that says nothing.
  for (let turn = 0; turn < REPEATS; turn += 1) {
    const answer = await send(gate.url, payment);
    if (answer.status !== 503 && codeOf(answer) !== 'payment_in_progress') return;
    await new Promise((resolve) => setTimeout(resolve, RESEND_GAP_MS));
  }
}

/** Asserts every promise of every payment, and prints how many ended where. */
export async function judge(campaign: Campaign): Promise<string> {
  const { world, payments } = campaign;
  const [rows, transfers] = [await campaign.rows(), await transfersByNonce(world)];
  const ends = new Map<string, number>();
  for (const payment of payments) {
    const row = rows.get(payment.id);
    const moved = transfers.get(payment.nonce) ?? [];
    judgeOne(world, payment, row, moved);
    const end = row?.state ?? 'never seen';
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  // What is stored is handed out once more to the payer who proves himself, and to nobody else.
  for (const payment of payments) {
    if (rows.get(payment.id)?.state === 'delivered') await judgeRepeat(world, payment, rows.get(payment.id));
  }
  const paid = payments.reduce((sum, { nonce }) => sum + BigInt(transfers.get(nonce)?.length ?? 0), 0n);
  const all = [...transfers.values()].reduce((sum, { length }) => sum + BigInt(length), 0n);
  assert.equal(await world.chain.balanceOf(world.chain.accounts.payee.address), all * PRICE_ATOMIC, 'the payee has what payments moved');
  const accounted = [...ends].filter(([state]) => PAID.includes(state)).reduce((sum, [, count]) => sum + count, 0);
  assert.equal(BigInt(accounted), paid, 'every transfer is in the books, and nothing else');
  await judgeBooks(campaign, rows);
  return [...ends]
    .sort()
    .map(([state, count]) => `${state} ${count}`)
    .join(', ');
}

function judgeOne({ origin, switchboard }: World, payment: Payment, row: Row | undefined, moved: readonly Transfer[]): void {
  const { id, answers, target, payer } = payment;
  const state = row?.state ?? 'absent';
  const where = `${id} (${payment.mode}) ended ${state}`;
  const asked = origin.requests.filter(({ url }) => url === target).length;
  const bodies = new Set(answers.filter(({ status, complete }) => status === 200 && complete).map(({ text }) => text));
  const begun = answers.some(({ status, text }) => status === 200 && text !== '');
  assert.ok(moved.length <= 1, `${where}: ${moved.length} transfers`);
  assert.ok(asked <= 1, `${where}: the origin ran ${asked} times`);
  assert.ok(bodies.size <= 1, `${where}: ${bodies.size} different responses`);
  assert.ok(new Set(switchboard.settleBodies.get(id) ?? []).size <= 1, `${where}: settle requests differ`);
  if (begun) assert.equal(moved.length, 1, `${where}: served without a transfer`);
  for (const { from, value } of moved) {
    assert.equal(from.toLowerCase(), payer.address.toLowerCase(), where);
    assert.equal(value, PRICE_ATOMIC, where);
  }
  assert.ok(row === undefined || EXPECTED.rest.includes(state), where);
  assert.ok(row === undefined || !isOverdue(row), `${where}: due since ${row?.due}`);
  assert.equal(moved.length, PAID.includes(state) ? 1 : 0, `${where}: transfers`);
  if (state === 'delivered' || state === 'refund_due' || row?.tx != null) {
    assert.equal(row?.tx, moved[0]?.transaction, `${where}: the row names its own transfer`);
  }
  if (state === 'delivered') assert.equal(asked, 1, `${where}: the origin ran`);
  if (state === 'refund_due') assert.equal(bodies.size, 0, `${where}: a response was handed out too`);
  if (state === 'manual') assert.equal(row?.reason, 'stream_lost', where);
  if (state === 'unknown') assert.equal(codeOf(answers.at(-1)), 'settlement_unknown', where);
}

async function judgeRepeat({ gate, origin }: World, payment: Payment, row: Row | undefined): Promise<void> {
  const seen = payment.answers.find(({ status, complete }) => status === 200 && complete)?.text;
  const requests = origin.requests.length;
  const answer = await send(gate.url, payment);
  const where = `${payment.id}, once more`;
  if (payment.identifier === undefined || row?.sealed !== 1) {
    assert.equal(answer.status, 409, where);
    assert.equal(codeOf(answer), 'payment_already_delivered', where);
  } else {
    assert.equal(answer.status, 200, `${where}: ${answer.text}`);
    assert.equal(answer.headers['payment-replayed'], 'true', where);
    if (seen !== undefined) assert.equal(answer.text, seen, where);
    assert.equal(transactionIn(payment, answer), row.tx, where);
  }
  assert.equal(origin.requests.length, requests, where);
}

/** The operator's list says what the rows say before or after it, and the audit that nothing is missing. */
async function judgeBooks(campaign: Campaign, rows: ReadonlyMap<string, Row>): Promise<void> {
  const { gate, operatorToken } = campaign.world;
  const ask = async (path: string): Promise<unknown> => {
    const answer = await get(`${gate.url}/_farebox/${path}`, { authorization: `Bearer ${operatorToken}` });
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  const listed = new Map<string, string>();
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = (await ask(`payments?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)) as {
      items: { key: string; state: string }[];
      next: string | null;
    };
    for (const { key, state } of page.items) listed.set(key, state);
    cursor = page.next ?? null;
  }
  const later = await campaign.rows();
  for (const [id, { key, state }] of rows) {
    const shown = listed.get(key);
    // An alarm may have closed a row since it was read.
    assert.equal(shown, shown === state ? state : later.get(id)?.state, `${id} in the operator's list`);
  }
  const differences = [...JSON.stringify(await ask('audit')).matchAll(/"difference":"([^"]*)"/g)].map((match) => match[1]);
  assert.ok(differences.length > 0, 'the audit counts at least one asset');
  assert.deepEqual(
    differences.filter((difference) => difference !== '0'),
    [],
  );
}

interface Transfer {
  readonly from: string;
  readonly value: bigint;
  readonly transaction: string;
}

/** By nonce of the authorization that each transaction used; both logs must be there. */
export async function transfersByNonce({ chain }: Pick<World, 'chain'>): Promise<Map<string, Transfer[]>> {
  const logs = await chain.publicClient.getLogs({ address: chain.token.address, fromBlock: 0n });
  const events = parseEventLogs({ abi: chain.token.abi, logs }) as unknown as {
    eventName: string;
    transactionHash: string;
    logIndex: number;
    args: { from: string; to: string; value: bigint; nonce: string };
  }[];
  const payee = chain.accounts.payee.address.toLowerCase();
  const uses = events.filter(({ eventName }) => eventName === 'AuthorizationUsed');
  const moves = events.filter(({ eventName, args }) => eventName === 'Transfer' && args.to.toLowerCase() === payee);
  assert.equal(moves.length, uses.length, 'every transfer to the payee used an authorization, and every use moved value');
  const byNonce = new Map<string, Transfer[]>();
  for (const {
    args: { nonce },
    transactionHash,
  } of uses) {
    const own = moves.filter((move) => move.transactionHash === transactionHash);
    byNonce.set(nonce, [
      ...(byNonce.get(nonce) ?? []),
      ...own.map(({ args: { from, value } }) => ({ from, value, transaction: transactionHash })),
    ]);
  }
  return byNonce;
}

export function codeOf(answer: Answer | undefined): string | undefined {
  try {
    return (JSON.parse(answer?.text ?? '') as { code?: string }).code;
  } catch {
    // Not a refusal of the gate.
    return undefined;
  }
}

/** States of a payment whose value moved. An unknown one is left so only when it did. */
const PAID = ['delivered', 'refund_due', 'manual', 'unknown'];
