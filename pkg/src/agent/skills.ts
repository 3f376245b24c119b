/** Skills that are sold at a market: published, sold in another version, given another secret, and withdrawn by the wallet that is paid. */

import * as wasm from '#agent-wasm';
import { unusable } from '../error.js';
import { type Members, membersIn } from '../members.js';
import { takesTokens } from '../operator/client.js';

import { type AnySigner, asSigner, type TypedData } from '../signer.js';
import { originOf, replyTo } from './exchange/call.js';

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
/**
 * A skill with the secret that signs every request to its seller; the market shows it once. `secretIsKnown`: it is that of the
 * version before, which was called at the same host.
 */
export type PublishedSkill = { readonly skill: ListedSkill; readonly secret: string | undefined; readonly secretIsKnown: boolean };
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
  skill_refused: 'nothing was changed; the message says why',
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
type Reply = { readonly status: number; readonly said: Members };

/** Has the market say what is to be signed, signs that if it is what was asked, and asks for the change. */
async function changed({ action, method, below, id }: Change, draft: Partial<SkillDraft>, options: SkillMarketOptions): Promise<Reply> {
  const signer = asSigner(options.signer);
  const market = originOf(options.market, 'market');
  if (!takesTokens(market))
    throw unusable('invalid_options', 'a secret comes over https, or http from this machine', 'pass the https origin of the market');
  const address = await signer.address();
  const payTo = draft.payTo ?? address;
  const body = membersIn(JSON.stringify({ agentId: payTo, payTo, ...draft }));
  const asked = new URLSearchParams({ action, ...(action === 'publish' ? {} : { skill: id }) });
  const { said } = await told(market, 'POST', `/typed-data?${asked}`, body, options);
  const typedData = said['typedData'] as TypedData;
  const { nonce, validBefore } = typedData?.message ?? {};
  const named = typedData?.message?.['market'];
  if (typeof named === 'string' && named !== market)
    throw new SkillError('market_unreadable', wasm.boundedText(`${market} says that the market's address is ${named}`, 400));
  if (!isFor(typedData, { action, market, skill: id, nonce, validBefore }, body))
    throw new SkillError('market_unreadable', `${market} asks to sign something else than the ${action} of this skill`);
  const signature = await signer.sign(typedData, options.signal);
  const path = `${action === 'publish' ? '' : `/${encodeURIComponent(id)}`}${below}`;
  const proof = { nonce, validBefore, signature };
  try {
    return await told(market, method, path, { ...body, proof }, options);
  } catch (error) {
    // It was signed: what is no answer of the market does not say that nothing was changed.
    const isUnread = error instanceof SkillError && error.code === 'market_unreadable';
    throw isUnread ? new SkillError('market_unreachable', error.message, error.status) : error;
  }
}

/**
 * Whether typed data is the market's own kind, which moves no money anywhere, and about this request to the last byte: nothing in it
 * but a nonce and an end within an hour is the market's to choose. Spec: `crates/market/src/skills/proof.rs`.
 */
function isFor(typedData: TypedData | undefined, about: Members, body: Members): boolean {
  const { nonce, validBefore } = about;
  const isNonce = typeof nonce === 'string' && /^0x[0-9a-f]{64}$/.test(nonce);
  const isSoon = typeof validBefore === 'number' && Number.isSafeInteger(validBefore) && validBefore <= Date.now() / 1000 + MOST_SECS;
  if (!isNonce || !isSoon || typedData === undefined) return false;
  const { proof: _, ...content } = body;
  const text = (name: string): string => (typeof body[name] === 'string' ? body[name] : '');
  const message = {
    ...about,
    name: text('name'),
    price: priceOf(body),
    callUrl: text('callUrl'),
    payTo: addressIn(body['payTo']),
    content: `0x${wasm.sha256(canonical(content))}`,
  };
  const given = { ...typedData, message: { ...typedData.message, payTo: addressIn(typedData.message['payTo']) } };
  return isSame(given, { domain: DOMAIN, types: TYPES, primaryType: 'SkillAction', message });
}

/** Most seconds that a proof may be valid. */
const MOST_SECS = 3_600;

const fieldsOf = (fields: Readonly<Record<string, string>>): Members[] => Object.entries(fields).map(([name, type]) => ({ name, type }));
const DOMAIN = { name: 'Farebox Market', version: '1' };
const TYPES = {
  EIP712Domain: fieldsOf({ name: 'string', version: 'string' }),
  SkillAction: fieldsOf({
    action: 'string',
    market: 'string',
    skill: 'string',
    name: 'string',
    price: 'string',
    callUrl: 'string',
    payTo: 'address',
    content: 'bytes32',
    nonce: 'bytes32',
    validBefore: 'uint64',
  }),
};

/** The text of a price that a wallet shows: text as it is, an object in its canonical form, and a number of XLM with the unit. */
function priceOf({ price, priceXLM }: Members): string {
  if (typeof price === 'string') return price;
  if (price !== undefined && price !== null) return canonical(price);
  return priceXLM === undefined || priceXLM === null ? '' : `${canonical(priceXLM)} XLM`;
}

/** Addresses alone are written in several ways. */
const addressIn = (text: unknown): unknown => (/^0x[0-9a-f]{40}$/i.test(String(text)) ? String(text).toLowerCase() : text);

/** Whether what was given is what was wanted, member by member; no deeper than that. */
function isSame(given: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return given === wanted;
  if (typeof given !== 'object' || given === null || Array.isArray(given) !== Array.isArray(wanted)) return false;
  const [all, members] = [Object.entries(wanted), new Map(Object.entries(given))];
  return members.size === all.length && all.every(([name, member]) => members.has(name) && isSame(members.get(name), member));
}

/** The one text of a value of JSON. Spec: RFC 8785. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join()}}`;
}

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
  const said = membersIn(reply.body);
  if (reply.status >= 200 && reply.status < 300 && said['ok'] === true) return { status: reply.status, said };
  const why = [said['error'], /^farebox-reason: (.*)$/m.exec(reply.headers)?.[1]].filter((it) => typeof it === 'string');
  if (why.length === 0)
    throw new SkillError('market_unreadable', `${market} answers ${reply.status}, and not as a market does`, reply.status);
  throw new SkillError('skill_refused', wasm.boundedText(why.join(': '), 400), reply.status);
}

function published({ said }: Reply): PublishedSkill {
  const { skill, secret, secretIsKnown } = said;
  if (typeof skill !== 'object' || skill === null) throw new SkillError('market_unreachable', 'the market does not show the skill');
  return { skill: skill as ListedSkill, secret: typeof secret === 'string' ? secret : undefined, secretIsKnown: secretIsKnown === true };
}
