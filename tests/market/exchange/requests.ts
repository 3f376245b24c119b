/** One valid request of each route of an exchange, as a rogue seller and buyer send it or, without a token, a stranger. */
import { LIVE, MOCK } from '../../../demo/exchange-world.mjs';
import type { Random } from '../../pkg/random.ts';
import type { Json, Shape } from '../../support/hostile/mutate.ts';

export type Facts = {
  /** What is sold under `LIVE` and under `MOCK`. */
  readonly capabilities: readonly [string, string];
  readonly seller: { readonly address: string; readonly agent: string };
  readonly pretender: { readonly address: string };
  readonly buyer: string;
  /** Jobs of their own and of others, and the fingerprint of a quote of each. */
  readonly jobs: readonly [string, string];
  readonly fingerprints: readonly [string, string];
  /** The name of another's quote, and the payment that it was paid with. */
  readonly foreign: { readonly quote: string; readonly payment: string };
  readonly tokens: { readonly seller: string; readonly pretender: string; readonly job: string; readonly identity: string };
};

export function requestsOf({
  capabilities: [live, mock],
  seller,
  pretender,
  buyer,
  jobs: [job, other],
  fingerprints,
  foreign,
  tokens,
}: Facts): readonly ((random: Random) => Shape)[] {
  const by = (token: string): Record<string, string> => (token === '' ? {} : { authorization: `Bearer ${token}` });
  const shape =
    (method: string, path: string, headers: Record<string, string> = {}, body?: Json) =>
    (): Shape => ({ method, path, headers, ...(body === undefined ? {} : { body }) });
  const v1 = (path: string, headers: Record<string, string>, body: Json) => shape('POST', `/api/v1/${path}`, headers, body);
  const [asSeller, asPretender, asBuyer] = [by(tokens.seller), by(tokens.pretender), by(tokens.job)];
  const said = { seller_id: seller.address, network_profile: LIVE };
  const pretends = { seller_id: pretender.address, network_profile: MOCK };
  const payload = { buyer_id: buyer, capability: mock, prompt: 'hello', network_profile: MOCK };
  const order = { buyer_id: buyer, capability: live, prompt: 'hello', network_profile: LIVE };
  const ask = (random: Random): Shape => {
    const [capability, profile] = random.pick([
      [live, LIVE],
      [mock, MOCK],
    ] as const);
    return {
      method: 'POST',
      path: '/api/v1/jobs/quote',
      body: { buyer_id: `0x${random.bytes(20).toString('hex')}`, capability, prompt: `p${random.below(9)}`, network_profile: profile },
    };
  };
  const register = (random: Random): Shape => ({
    method: 'POST',
    path: '/api/v1/sellers/register',
    body: {
      seller_id: `0x${random.bytes(20).toString('hex')}`,
      capability: live,
      price_per_task: '0.005',
      capacity: 1,
      passport_agent_id: 'rogue',
      network_profile: LIVE,
    },
  });
  return [
    ask,
    ask,
    ask,
    register,
    register,
    v1('jobs/verify', { 'x-payment': foreign.payment }, { fingerprint: fingerprints[0], payload }),
    v1('jobs/verify', {}, { fingerprint: fingerprints[0], tx_hash: '0xabc123', payload }),
    v1('jobs/verify', { 'x-payment': foreign.payment }, { fingerprint: fingerprints[1], payload: order }),
    v1('jobs', { 'payment-signature': 'e30=' }, order),
    v1('sellers/heartbeat', asSeller, said),
    v1('sellers/jobs', asSeller, said),
    v1('sellers/offline', asSeller, said),
    v1('sellers/session', by(tokens.identity), {
      ...said,
      seller_id: buyer,
      passport_agent_id: 'rogue',
      capability: live,
      price_per_task: '1',
      capacity: 2,
    }),
    v1('sellers/session/challenge', {}, { ...said, passport_agent_id: seller.agent }),
    v1(
      'sellers/session',
      {},
      { ...said, passport_agent_id: seller.agent, challenge_id: 'x', tx_hash: `0x${'1'.repeat(64)}`, renewal_token: 'y' },
    ),
    v1(`jobs/${job}/start`, asPretender, pretends),
    v1(`jobs/${job}/complete`, asPretender, { ...pretends, result: { text: 'x', meta: { a: 1 } } }),
    v1(`jobs/${job}/fail`, asPretender, { ...pretends, error: 'x' }),
    v1(`jobs/${other}/start`, asSeller, said),
    v1(`jobs/${other}/complete`, asSeller, { ...said, result: { text: 'x' } }),
    v1(`jobs/${other}/fail`, asSeller, { ...said, error: 'x' }),
    shape('GET', `/api/v1/jobs/${job}`, asBuyer),
    shape('GET', `/api/v1/jobs/${other}`, asBuyer),
    shape('GET', `/api/v1/jobs/${job}/feed?cursor=1`, asBuyer),
    shape('GET', `/api/v1/jobs/${other}/feed`, asBuyer),
    shape('GET', `/api/v1/buyers/capabilities?network_profile=${LIVE}`),
    shape('GET', `/api/v1/feed?network_profile=${MOCK}&cursor=1`),
    shape('GET', `/api/v1/sellers/feed?seller_id=${seller.address}&network_profile=${LIVE}`, asSeller),
    shape('GET', '/api/v1/dashboard/summary?mode=demo'),
    shape('GET', '/api/v1/dashboard/market?mode=live&network=testnet'),
    shape('GET', '/api/v1/dashboard/events?mode=demo&cursor=1'),
    shape('GET', `/api/v1/operator/jobs?network_profile=${LIVE}&state=paid&limit=1&cursor=2`),
    shape('GET', `/api/v1/operator/jobs/${job}`, asSeller),
    shape('GET', `/api/v1/operator/sellers?network_profile=${MOCK}&cursor=1.a`, asBuyer),
    shape('GET', `/api/v1/operator/holds?network_profile=${LIVE}&leave=refund`),
    shape('GET', `/api/v1/operator/overview?network_profile=${LIVE}`),
    shape('GET', '/api/v1/operator/profiles'),
    shape('POST', '/api/v1/operator/holds/rcpt_a/ask', asSeller),
    shape('POST', '/api/v1/operator/holds/rcpt_a/end', asSeller),
    shape('GET', '/exchange?mode=demo'),
    shape('GET', `/exchange/jobs/${job}`),
    shape('GET', '/exchange/job.js'),
    shape('GET', '/exchange/market.js'),
    shape('GET', '/exchange/style.css'),
    shape('GET', '/skills/quotadex-buyer/SKILL.md'),
    shape('GET', '/skills/quotadex-seller/SKILL.md'),
    v1('demo/run', {}, { capability: 'nobody', prompt: 'x' }),
    shape('POST', '/price', {}, { route: '/till/[quote]', target: `/till/${foreign.quote}` }),
    shape('POST', `/till/${foreign.quote}`),
    shape('POST', '/_market/notices', { 'farebox-signature': 't=1,v1=0' }, { type: 'payment.refund_due' }),
  ];
}
