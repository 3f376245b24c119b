/** Skills that are sold at a market: published, sold in another version, given another secret, and withdrawn by the wallet that is paid. */
import * as wasm from '#agent-wasm';

import { type AnySigner, asSigner, type TypedData } from '../signer.js';
import { objectIn, originOf, replyTo } from './exchange/call.js';

/** A skill as its seller describes it; see `docs/skills.md` of the repository. */
export type SkillDraft = {
  readonly name: string;
  readonly description: string;
  /** Where it is called. */
  readonly callUrl: string;
  /** Dollars, such as `$0.05`, or an amount of another token. */
  readonly price?: string | { readonly amount: string; readonly asset: string };
  /** Made of the name if it is missing. */
  readonly skillId?: string;
  /** What the seller is called [the wallet's address]. */
  readonly agentId?: string;
  /** Who is paid [the wallet that signs]. */
  readonly payTo?: string;
  readonly version?: string;
  readonly [member: string]: unknown;
};
/** A skill as the market lists it. */
export type ListedSkill = { readonly id: string; readonly version: string; readonly payTo: string; readonly [member: string]: unknown };
/** A skill with the secret that signs every request to its seller; the market shows it once. */
export type PublishedSkill = { readonly skill: ListedSkill; readonly secret: string | undefined };
export type SkillMarketOptions = {
  /** The market's address, which is its gate's. */
  readonly market: string;
  /** The wallet that is paid and owns the skill. */
  readonly signer: AnySigner;
  readonly fetch?: typeof globalThis.fetch;
  /** How long an answer may take, milliseconds [30000]. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};
export type SkillErrorCode = 'skill_refused' | 'market_unreachable' | 'market_unreadable';

/** A change of a skill that the market did not make, or did not say that it made. */
export class SkillError extends Error {
  override readonly name = 'SkillError';
  readonly code: SkillErrorCode;
  readonly remedy: string;
  /** The market's status, if it answered. */
  readonly status: number | undefined;

  constructor(code: SkillErrorCode, message: string, status?: number) {
    super(message);
    this.code = code;
    this.remedy = REMEDIES[code];
    this.status = status;
  }
}

const REMEDIES: Readonly<Record<SkillErrorCode, string>> = {
  skill_refused: 'do what the message says, and call again',
  market_unreachable: 'look at the list of skills before you call again: the market may have made the change',
  market_unreadable: 'check the address of the market; nothing was signed for it',
};

/** Publishes a skill. Nothing is paid; the signature is for this market and this request alone. */
export async function publishSkill(draft: SkillDraft, options: SkillMarketOptions): Promise<PublishedSkill> {
  return published(await changed({ action: 'publish', method: 'POST', below: '', id: draft.skillId ?? '' }, draft, options));
}

/** Sells another version, whose `version` is greater; the older one is delivered to whoever has bought it. */
export async function publishVersion(
  id: string,
  draft: SkillDraft & { readonly version: string },
  options: SkillMarketOptions,
): Promise<PublishedSkill> {
  return published(await changed({ action: 'version', method: 'POST', below: '/versions', id }, draft, options));
}

/** Takes a skill back: it is not sold any more. */
export async function withdrawSkill(id: string, options: SkillMarketOptions): Promise<void> {
  await changed({ action: 'deactivate', method: 'DELETE', below: '', id }, {}, options);
}

/** Gives a skill another secret, for one that was lost or told. */
export async function rotateSkillSecret(id: string, options: SkillMarketOptions): Promise<PublishedSkill> {
  return published(await changed({ action: 'rotate', method: 'POST', below: '/rotate', id }, {}, options));
}

type Change = { readonly action: string; readonly method: string; readonly below: string; readonly id: string };
type Reply = { readonly status: number; readonly said: Readonly<Record<string, unknown>> };

/** Has the market say what is to be signed, signs that if it is what was asked, and asks for the change. */
async function changed({ action, method, below, id }: Change, draft: Partial<SkillDraft>, options: SkillMarketOptions): Promise<Reply> {
  const signer = asSigner(options.signer);
  const market = originOf(options.market, 'market');
  const address = await signer.address();
  const body = { agentId: address, payTo: address, ...draft };
  const asked = new URLSearchParams({ action, ...(action === 'publish' ? {} : { skill: id }) });
  const { said } = await told(market, 'POST', `/typed-data?${asked}`, body, options);
  const typedData = said['typedData'] as TypedData;
  if (!isFor(typedData, { action, market, skill: id }, body))
    throw new SkillError('market_unreadable', `${market} asks to sign something else than the ${action} of this skill`);
  const signature = await signer.sign(typedData, options.signal);
  const path = `${action === 'publish' ? '' : `/${encodeURIComponent(id)}`}${below}`;
  const proof = { ...(said['proof'] as object), signature };
  try {
    return await told(market, method, path, { ...body, proof }, options);
  } catch (error) {
    // It was signed: what is no answer of the market does not say that nothing was changed.
    const isUnread = error instanceof SkillError && error.code === 'market_unreadable';
    throw isUnread ? new SkillError('market_unreachable', error.message, error.status) : error;
  }
}

/** Whether typed data is the market's own kind, which moves no money anywhere, and about this request. */
function isFor(
  typedData: TypedData | undefined,
  about: Readonly<Record<string, string>>,
  body: Readonly<Record<string, unknown>>,
): boolean {
  const { domain, primaryType, message } = typedData ?? {};
  const isOurs = JSON.stringify(domain) === JSON.stringify({ name: 'Farebox Market', version: '1' }) && primaryType === 'SkillAction';
  if (!isOurs || message === undefined) return false;
  const texts = Object.entries(body).filter(([name, value]) => SHOWN.includes(name) && typeof value === 'string');
  return [...Object.entries(about), ...texts].every(([name, value]) => sameText(message[name], value));
}

/** The members of a request that a wallet shows when it signs. */
const SHOWN = ['name', 'price', 'callUrl', 'payTo'];

/** Addresses are written in several ways. */
const sameText = (a: unknown, b: unknown): boolean =>
  String(a) === String(b) || (/^0x[0-9a-f]{40}$/i.test(String(b)) && String(a).toLowerCase() === String(b).toLowerCase());

async function told(market: string, method: string, path: string, body: unknown, options: SkillMarketOptions): Promise<Reply> {
  const { fetch = globalThis.fetch, timeoutMs = 30_000, signal } = options;
  const reply = await replyTo(fetch, market, {
    method,
    path: `/api/marketplace/skills${path}`,
    body: JSON.stringify(body),
    timeoutMs,
    signal,
  });
  signal?.throwIfAborted();
  if (reply === undefined) throw new SkillError('market_unreachable', `no complete answer came from ${market}`);
  const said = objectIn(reply.body);
  if (reply.status >= 200 && reply.status < 300 && said['ok'] === true) return { status: reply.status, said };
  const why = [said['error'], /^farebox-reason: (.*)$/m.exec(reply.headers)?.[1]].filter((it) => typeof it === 'string');
  if (why.length === 0)
    throw new SkillError('market_unreadable', `${market} answers ${reply.status}, and not as a market does`, reply.status);
  throw new SkillError('skill_refused', wasm.boundedText(why.join(': '), 400), reply.status);
}

function published({ said }: Reply): PublishedSkill {
  const { skill, secret } = said;
  if (typeof skill !== 'object' || skill === null) throw new SkillError('market_unreachable', 'the market does not show the skill');
  return { skill: skill as ListedSkill, secret: typeof secret === 'string' ? secret : undefined };
}
