// An exchange with its chain whose books have a job in every state, money that does not move, skills and invocations.

import { privateKeyToAccount } from 'viem/accounts';

import { type ExchangeWorld, type OnlineSeller, signedPayment, startExchangeWorld } from '../../demo/exchange-world.mjs';
import { signedSkill } from '../../demo/skill-proof.mjs';
import { type Deal, quoted, quotedBy } from '../market/exchange/support.ts';
import { eventually } from '../support/eventually.ts';

export interface ExchangeDeskWorld {
  readonly world: ExchangeWorld;
  readonly token: string;
  /** Jobs by what became of them. */
  readonly jobs: Readonly<Record<'done' | 'failed' | 'stuck' | 'running' | 'paid', string>>;
  /** The seller whose payout does not come, and what it is owed. */
  readonly owed: Deal;
  /** Payments whose money waits for a person. */
  readonly waiting: Readonly<Record<'payout' | 'report', string>>;
  /** A seller that sells what is no plain text. */
  readonly hostile: OnlineSeller;
  readonly read: (path: string) => Promise<any>;
}

/** Markup, as the name of a skill; and with a character that turns text around, and one that is not seen. */
export const MARKUP = '<img src=x onerror=alert(1)>';
export const HOSTILE = `${MARKUP}\u202e\u200b`;

export async function startExchangeDeskWorld(): Promise<ExchangeDeskWorld> {
  const world = await startExchangeWorld({ pages: true });
  try {
    return await filled(world);
  } catch (error) {
    await world.stop();
    throw error;
  }
}

async function filled(world: ExchangeWorld): Promise<ExchangeDeskWorld> {
  const token = world.tokens.operator;
  const read = async (path: string) =>
    (await world.ask('GET', `/api/v1/operator/${path}`, { headers: { authorization: `Bearer ${token}` } })).json;
  const [done] = await bought(world, 'summarize', 'complete');
  const [failed] = await bought(world, 'translate', 'fail');
  await eventually('both are over', async () => {
    await world.wait(5);
    return (await read('overview')).jobs.open === 0;
  });
  const report = await paidByAnother(world, read);
  world.switches.treasury.set({ mode: 'cut' });
  const [stuck, owed] = await bought(world, 'transcribe', 'complete');
  const waiting = await eventually('money waits for a person', async () => {
    await world.wait(31);
    const { waiting } = await read('overview');
    return waiting.length === 2 && waiting;
  });
  world.switches.gate.set();
  const [running] = await bought(world, 'paint', 'start');
  const [paid] = await bought(world, 'draw');
  const hostile = await world.seller({ capability: HOSTILE });
  await sold(world, token);
  const payout = waiting.find(({ waits }: { waits: string }) => waits === 'payout').payment as string;
  return { world, token, jobs: { done, failed, stuck, running, paid }, owed, waiting: { payout, report }, hostile, read };
}

/** A job that is paid, and of which its seller has said so much. */
async function bought(world: ExchangeWorld, capability: string, callback?: 'start' | 'complete' | 'fail'): Promise<[string, Deal]> {
  const deal = await quoted(world, capability);
  const { status, text, json } = await deal.verify();
  if (status !== 200) throw new Error(text);
  if (callback !== undefined) await deal.call('start', json.job_id);
  if (callback === 'complete' || callback === 'fail') await deal.call(callback, json.job_id);
  return [json.job_id, deal];
}

/** A payment of who asked for nothing, which goes back while the gate cannot be told: its payment. */
async function paidByAnother(world: ExchangeWorld, read: ExchangeDeskWorld['read']): Promise<string> {
  world.switches.gate.set({ mode: 'cut', path: '/refunded' });
  const seller = await world.seller({ capability: 'think' });
  const deal = await quotedBy(world, seller, 'think');
  const stranger = await world.wallet();
  const payment = await signedPayment(world, stranger, deal.quote);
  await world.ask('POST', `/till/${deal.quote.payment_id}`, { base: world.gate.url, body: {}, headers: { 'x-payment': payment } });
  const [hold] = await eventually('it is paid back', async () => {
    await world.wait(5);
    const { items } = await read('holds?leave=refund');
    const back = items.filter((item: any) => item.job_id === null && item.state === 'ended');
    return back.length > 0 && back;
  });
  return hold.payment;
}

/** Two skills, and what agents did with them. */
async function sold(world: ExchangeWorld, token: string): Promise<void> {
  for (const [skillId, name] of [
    ['word-count', 'Word count'],
    ['hostile', MARKUP],
  ] as const) {
    const owner = await world.wallet();
    const skill = {
      skillId,
      name,
      description: `${name} of a text`,
      agentId: 'Ada',
      callUrl: 'https://seller.example.com/skill',
      payTo: owner.address,
      price: '$0.05',
    };
    const account = privateKeyToAccount(owner.privateKey);
    const body = await signedSkill({ market: world.gate.url, action: 'publish', skill, account, now: world.now() });
    const { status, text } = await world.ask('POST', '/api/marketplace/skills', { body });
    if (status !== 201) throw new Error(text);
  }
  const lines = [
    { outcome: 'paid_ok', status: 'success', paid: 'yes' },
    { outcome: 'paid_failed', status: 'failed', paid: 'unknown', error: HOSTILE },
    { outcome: 'free', status: 'success', paid: 'no' },
  ].map((row, at) =>
    JSON.stringify({
      id: `inv_mhz0abcd_00000${at}`,
      agentId: 'agent-1',
      organization: 'acme',
      skillId: 'word-count',
      version: '1.0.0',
      number: at + 1,
      amountXLM: row.paid === 'no' ? 0 : 0.5,
      amount: row.paid === 'no' ? '0' : '0.05',
      asset: 'USDC',
      network: 'eip155:84532',
      txHash: row.paid === 'yes' ? `0x${'7'.repeat(64)}` : '',
      invokedAt: 1_790_000_000_000 + at,
      ...row,
    }),
  );
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' };
  const { status, text } = await world.ask('POST', '/api/marketplace/import', { headers, body: lines.join('\n') });
  if (status !== 200) throw new Error(text);
}
