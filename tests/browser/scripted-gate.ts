// A gate that is a script, for its desk: it keeps payments, believes what it is told, and answers late or not at all.

import type { BrowserContext, Page } from 'playwright-core';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { PAGES } from '../../scripts/pages.mjs';
import { type DeskAnswer, type DeskRequest, openScripted } from './scripted-desk.ts';
import { addWallet, type WalletPlan } from './wallet.ts';

const [PAYER, TOKEN] = ['0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc', '0x036cbd53842c5426634e7929541ec2318f3dcf7e'];
const privateKey = generatePrivateKey();
/** The account that was paid. */
export const payee = { ...privateKeyToAccount(privateKey), privateKey };
export const GATE_DESK = '/_farebox/desk/';

/** A gate that keeps payments and has no node: what it is told is so. */
export class ScriptedGate {
  readonly rows = new Map<string, Record<string, unknown>>();
  /** Channels and accounts by id, as they are listed. */
  readonly channels: Record<string, unknown>[] = [];
  /** What it says of its facilitators. */
  health: object = {};
  /** What it was told, as `refunding rcpt_…`. */
  readonly told: string[] = [];
  /** Paths that get no answer. */
  readonly silent = new Set<string>();
  /** Paths whose requests are heard, and whose answers are lost. */
  readonly lost = new Set<string>();
  readonly asked: string[] = [];
  /** Whether it has a node, which finds no refund. */
  finds: 'all' | 'none' = 'all';
  /** Where a list goes on. */
  next: string | null = null;
  /** How long each answer takes, and each sum. */
  readMs = 0;
  sumMs = 0;

  owes(id: string, more: Readonly<Record<string, unknown>> = {}): this {
    this.rows.set(id, {
      ...{
        id,
        state: 'refund_due',
        payer: PAYER,
        payee: payee.address,
        network: 'eip155:84532',
        asset: TOKEN,
        amount: '10000',
        symbol: 'USDC',
      },
      ...{ decimals: 6, route: '/a', created: '2026-09-21T14:13:20Z', updated: '2026-09-21T14:13:20Z', reason: 'origin', ...more },
    });
    return this;
  }

  answer({ path, query, body }: DeskRequest): DeskAnswer {
    this.asked.push(`${path}?${query}`);
    if ([...this.silent].some((part) => `${path}?${query}`.includes(part))) return undefined;
    if (path === '/_farebox/payments') {
      const state = query.get('state');
      return { items: [...this.rows.values()].filter((row) => state === null || row['state'] === state), next: this.next };
    }
    if (path === '/_farebox/channels') {
      const after = query.get('cursor') ?? '';
      return { items: this.channels.filter((one) => String(one['id']) > after), next: null };
    }
    if (path === '/_farebox/health') return this.health;
    const [, id = '', decision] = /^\/_farebox\/payments\/([^/]+)(?:\/(.+))?$/.exec(path) ?? [];
    const row = this.rows.get(id);
    if (row === undefined) return { items: [], sessions: [] };
    if (decision === undefined) return row;
    this.told.push(`${decision} ${id}`);
    if (decision === 'refunding' && row['refunding'] !== undefined) return { status: 409, code: 'refund_begun', detail: 'It was begun.' };
    if (decision === 'refunding') Object.assign(row, { refunding: '2026-09-21T14:14:20Z', refunding_id: 1 });
    if (decision === 'refunded' && this.finds === 'none') return { status: 409, code: 'refund_unproven', detail: 'It is not there.' };
    if (decision === 'not-refunded') row['refunding'] = row['refunding_id'] = undefined;
    if (decision === 'refunded') Object.assign(row, { state: 'refunded', reason: body['transaction'] });
    if (decision === 'waived') row['state'] = 'waived';
    return [...this.lost].some((part) => path.includes(part)) ? undefined : row;
  }

  async slowly(request: DeskRequest): Promise<DeskAnswer> {
    const ms = request.path === '/_farebox/totals' ? this.sumMs : this.readMs;
    await new Promise((done) => setTimeout(done, Math.max(ms, this.readMs)));
    return this.answer(request);
  }

  async open(context: BrowserContext, fragment: string, plan?: Omit<WalletPlan, 'payer' | 'network'>): Promise<Page> {
    const page = await context.newPage();
    if (plan !== undefined) await addWallet(page, { payer: payee, network: '0x14a34', ...plan });
    await openScripted(page, PAGES, GATE_DESK, fragment, (request) => this.slowly(request));
    return page;
  }
}
