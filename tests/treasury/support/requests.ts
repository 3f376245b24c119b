/** One valid request of each route of a treasury, as the rogue of a world sends it or, without a token, a stranger. */
import type { Random } from '../../pkg/random.ts';
import type { Json, Shape } from '../../support/hostile/mutate.ts';

export const VERSION = { 'x-402flow-sdk-version': '0.1.0-alpha.22' };
export const TO = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
const WAYS = ['honest', 'reject/402', 'fail/500', 'unsettled', 'malformed'];

/** Whom the requests are about, and by which tokens: empty ones are left out. */
export type Facts = {
  readonly organization: string;
  readonly agent: string;
  readonly merchant: string;
  readonly wallet: string;
  readonly receipt: string;
  /** Links of their own and of others. */
  readonly links: readonly [string, string];
  readonly tokens: {
    readonly agent: string;
    readonly key: string;
    readonly lookup: string;
    readonly payouts: string;
    readonly operator: string;
  };
};

export function requestsOf({
  organization,
  agent,
  merchant,
  wallet,
  receipt,
  links: [own, foreign],
  tokens,
}: Facts): readonly ((random: Random) => Shape)[] {
  const by = (token: string): Record<string, string> => (token === '' ? {} : { authorization: `Bearer ${token}` });
  const [asAgent, asLookup, asPayee, asOperator] = [
    { ...by(tokens.agent), ...VERSION },
    by(tokens.lookup),
    by(tokens.payouts),
    by(tokens.operator),
  ];
  const shape =
    (method: string, path: string, headers: Record<string, string> = {}, body?: Json) =>
    (): Shape => ({ method, path, headers, ...(body === undefined ? {} : { body }), ...(headers === asOperator ? { mayAll: true } : {}) });
  const operate = (method: string, path: string, body?: Json) =>
    shape(method, `/api/organizations/${organization}${path}`, asOperator, body);
  const link = (method: string, path: string, headers: Record<string, string> = {}, body?: Json) =>
    shape(method, `/api/v6/pay/a2a/${path}`, headers, body);
  const decide = (random: Random): Shape => ({
    method: 'POST',
    path: '/api/sdk/payment-decisions',
    headers: asAgent,
    body: decision(random),
  });
  const rules = {
    allowedOrigins: ['https://x.example'],
    perDay: { USDC: '1.00' },
    reviewAbove: { USDC: '0.5' },
    payees: [TO],
    expires: '2030-01-31T12:00:00Z',
  };
  const payment = {
    payload: {
      type: 'transaction',
      signature: `0x${'11'.repeat(65)}`,
      authorization: {
        type: 'eip-3009',
        from: TO,
        to: TO,
        value: '10000',
        validAfter: '0',
        validBefore: '4000000000',
        nonce: `0x${'22'.repeat(32)}`,
      },
    },
  };
  const decision = (random: Random): Json => {
    const url = `${merchant}/${random.pick(WAYS)}/${random.below(20)}`;
    const accepts = [
      {
        scheme: 'exact',
        network: 'eip155:84532',
        amount: '10000',
        asset: USDC,
        payTo: TO,
        maxTimeoutSeconds: 300,
        extra: { name: 'USDC', version: '2' },
      },
    ];
    const required = Buffer.from(
      JSON.stringify({ x402Version: 2, resource: { url, description: 'a test', mimeType: 'text/plain' }, accepts }),
    ).toString('base64');
    return {
      context: { organization, agent },
      request: { url, method: 'GET', headers: { accept: 'text/plain' }, body: '' },
      challenge: { protocol: 'x402', headers: { 'payment-required': required }, body: '{}' },
      idempotencyKey: `k-${random.below(40)}`,
    };
  };
  return [
    decide,
    decide,
    decide,
    decide,
    shape('POST', '/api/sdk/runtime-tokens', { ...by(tokens.key), ...VERSION }),
    shape('GET', '/api/sdk/identity', asAgent),
    shape('GET', `/api/sdk/receipts/${receipt}`, asAgent),
    shape('GET', `/api/lookup/decisions?organization=${organization}&agent=${agent}&key=k-1`, asLookup),
    shape('GET', `/api/lookup/receipts/${receipt}?organization=${organization}`, asLookup),
    shape('GET', '/.well-known/farebox-keys.json'),
    link('GET', `p/${own}`),
    link('GET', `p/${own}/status`),
    shape('GET', `/a2a/${own}`),
    shape('HEAD', `/a2a/${own}`),
    shape('POST', `/a2a/${own}`, { 'payment-signature': Buffer.from(JSON.stringify({ x402Version: 2, ...payment })).toString('base64') }),
    link('POST', `p/${own}/credential`, {}, payment),
    link('POST', `p/${foreign}/credential`, {}, payment),
    link('POST', `p/${foreign}/cancel`, asPayee),
    link('POST', 'payment/create', asAgent, { organization, type: 'charge', amount: '0.01' }),
    shape('POST', '/api/payouts', asPayee, {
      organization,
      wallet,
      network: 'eip155:84532',
      asset: 'USDC',
      to: TO,
      amount: '0.01',
      idempotencyKey: 'rent',
    }),
    shape('GET', `/api/payouts/x?organization=${organization}`, asPayee),
    shape('GET', `/api/payouts?organization=${organization}`, asOperator),
    shape('GET', '/api/organizations', asOperator),
    operate('GET', ''),
    operate('GET', '/agents'),
    operate('GET', '/budgets'),
    operate('GET', '/reviews?state=open&limit=5'),
    operate('GET', `/decisions?agent=${agent}&limit=3`),
    operate('GET', '/decisions/x'),
    operate('GET', '/export?format=csv'),
    operate('GET', '/audit'),
    operate('GET', '/log?limit=2'),
    operate('GET', '/metrics'),
    operate('PUT', '/agents/other/policy', rules),
    operate('PUT', '/agents/other'),
    operate('GET', '/agents/other/bootstrap-keys'),
    operate('GET', '/agents/other/runtime-tokens'),
    operate('POST', '/reviews/x/approve'),
    operate('POST', '/reviews/x/deny'),
    operate('DELETE', '/bootstrap-keys/x'),
    // These would end what the others need, so they are shown a key of nobody.
    shape('PUT', `/api/organizations/${organization}/policy`, by('nobody'), rules),
    shape('DELETE', `/api/organizations/${organization}/agents/${agent}`, by('nobody')),
    shape('POST', `/api/organizations/${organization}/agents/${agent}/bootstrap-keys`, by('nobody')),
    shape('DELETE', `/api/organizations/${organization}/agents/${agent}/runtime-tokens`, by('nobody')),
  ];
}
