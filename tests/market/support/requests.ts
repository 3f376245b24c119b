/** One valid request of each route of a market, as the rogue of a world sends it or, without a token, a stranger. */
import type { Random } from '../../pkg/random.ts';
import type { Json, Shape } from '../../support/hostile/mutate.ts';

export const X402 = '/api/protocol/x402';
export const SKILLS = '/api/marketplace/skills';

export type Facts = {
  readonly agent: string;
  /** Skills that may be invoked, the first of which the gate charges for. */
  readonly skills: readonly string[];
  /** An entry of the ledger. */
  readonly entry: string;
  /** Signed publications, and what changes the skill of this id. */
  readonly published: readonly Json[];
  readonly changes: { readonly id: string; readonly version: Json; readonly deactivate: Json; readonly rotate: Json };
  readonly wallet: string;
  readonly tokens: { readonly agent: string; readonly operator: string };
};

export function requestsOf({ agent, skills, entry, published, changes, wallet, tokens }: Facts): readonly ((random: Random) => Shape)[] {
  const by = (token: string): Record<string, string> => (token === '' ? {} : { authorization: `Bearer ${token}` });
  const [asAgent, asOperator, sold] = [by(tokens.agent), by(tokens.operator), skills[0] ?? ''];
  const shape =
    (method: string, path: string, headers: Record<string, string> = {}, body?: Json) =>
    (): Shape => ({ method, path, headers, ...(body === undefined ? {} : { body }), ...(headers === asOperator ? { mayAll: true } : {}) });
  const invoke = (random: Random): Shape => ({
    method: 'POST',
    path: `${SKILLS}/${random.pick(skills)}/invoke`,
    headers: { ...asAgent, 'idempotency-key': `k-${random.below(60)}` },
    body: { agentId: agent, payload: { input: random.below(9) } },
  });
  const publish = (random: Random): Shape => ({
    method: 'POST',
    path: SKILLS,
    headers: random.below(2) === 0 ? asAgent : {},
    body: random.pick(published),
  });
  const quote = (random: Random): Shape => ({
    method: 'POST',
    path: `${X402}/quote`,
    body: { serviceId: `svc-${random.below(9)}`, chain: 'base', payer: agent, units: 2, unitPriceUsd: 0.1, ttlSeconds: 60 },
  });
  return [
    invoke,
    invoke,
    publish,
    publish,
    quote,
    quote,
    shape('GET', `${SKILLS}?name=a&agentId=rogue&maxPriceXLM=9`),
    shape('GET', `${SKILLS}/${sold}`),
    shape('POST', `${SKILLS}/typed-data`, {}, published[0]),
    shape('POST', `${SKILLS}/${changes.id}/versions`, {}, changes.version),
    shape('DELETE', `${SKILLS}/${changes.id}`, {}, changes.deactivate),
    shape('POST', `${SKILLS}/${changes.id}/rotate`, {}, changes.rotate),
    shape('DELETE', `${SKILLS}/${changes.id}-2`, asOperator, { reason: 'spam' }),
    shape('GET', `/api/marketplace/invocations?agentId=${agent}&limit=5`, asAgent),
    shape('GET', `/api/marketplace/invocations/${entry}`, asAgent),
    shape('GET', `/api/marketplace/agents/${agent}/spend`, asAgent),
    shape('GET', '/api/marketplace/export?format=jsonl', asOperator),
    shape('POST', '/api/marketplace/import', asOperator, { number: 1 }),
    shape('GET', '/api/marketplace/metrics', asOperator),
    shape('GET', '/api/marketplace/packs/fbp_x'),
    shape('GET', '/api/marketplace/packs/current', { authorization: 'Bearer fbp_x' }),
    shape('POST', `/s/${sold}`, {}, { text: 'unpaid' }),
    shape('POST', `/packs/${sold}/starter`),
    shape('POST', `/fees/${sold}`),
    shape('GET', '/?name=a'),
    shape('GET', '/SKILL.md'),
    shape('GET', `/skills/${sold}`),
    shape('GET', `/skills/${sold}/SKILL.md`),
    shape('GET', '/_market/health'),
    shape(
      'POST',
      `${X402}/settle`,
      {},
      { paymentRef: 'svc:base:1-0123456789abcdef', chain: 'base', txHash: `0x${'1'.repeat(64)}`, paidBy: wallet, agentId: agent },
    ),
    shape('GET', `${X402}/receipts?agent=${agent}&page=1&pageSize=5`),
    shape('GET', `${X402}/receipts/r_1`),
    shape('POST', `${X402}/subscriptions`, {}, { agentId: agent, serviceId: 'svc-1', plan: 'starter' }),
    shape('GET', `${X402}/subscriptions/${agent}/svc-1?consume=true`, by('fbq_x')),
    shape('GET', `${X402}/subscriptions`),
    shape('GET', '/api/subscriptions/sub_1/proof'),
  ];
}
