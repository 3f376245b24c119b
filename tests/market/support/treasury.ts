/** A treasury of the tests: knows tokens, decides as it is told, and remembers each key's decision. */
import type { Bound } from './worker.ts';

export type Asked = { readonly key: string; readonly body: any; readonly authorization: string };
export type Decision = { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };
export type Decide = (asked: Asked) => Decision | Promise<Decision>;

export const tokenOf = (agent: string): string => `fbt_acme_${agent}_0123456789abcdef`;

/** Paid, with a transaction of its own and this answer of the seller. */
export function allowed({ key }: Asked, body = '{"result":"done"}', status = 200, outcome = 'allow'): Decision {
  const tx = `0x${Buffer.from(key).toString('hex').padEnd(64, '0').slice(0, 64)}`;
  return {
    status: 201,
    body: {
      outcome,
      reasonCode: outcome,
      reason: outcome,
      merchantResponse: { status, headers: { 'content-type': 'application/json' }, body },
      receipt: { receiptId: `rcpt-${key}`, settlementIdentifier: tx, status: 'confirmed' },
    },
  };
}

export class FakeTreasury {
  readonly asked: Asked[] = [];
  /** Keys of decisions that were looked up. */
  readonly lookups: string[] = [];
  isDown = false;
  decide: Decide = allowed;
  readonly #known = new Map<string, Decision>();

  /** How often money moved. */
  get paid(): number {
    return this.#known.size;
  }

  readonly bound: Bound = async (request) => {
    if (this.isDown) return new Response('{}', { status: 503 });
    const { pathname, searchParams } = new URL(request.url);
    const authorization = request.headers.get('authorization') ?? '';
    const agent = /^Bearer fbt_acme_(.+)_0123456789abcdef$/.exec(authorization)?.[1];
    if (pathname === '/api/lookup/decisions') {
      const key = searchParams.get('key') ?? '';
      this.lookups.push(key);
      const known = this.#known.get(key);
      return known === undefined
        ? Response.json({ message: 'unknown', code: 'not_found' }, { status: 404 })
        : Response.json(known.body, { status: 200 });
    }
    if (agent === undefined) return Response.json({ message: 'unknown token', code: 'unauthorized' }, { status: 401 });
    if (pathname === '/api/sdk/identity') return Response.json({ organization: 'acme', agent, environment: 'test' });
    const body: any = await request.json();
    const asked = { key: String(body.idempotencyKey), body, authorization };
    this.asked.push(asked);
    const decided = this.#known.get(asked.key) ?? (await this.decide(asked));
    if ((decided.body as any)?.outcome === 'allow' || (decided.body as any)?.receipt !== undefined) this.#known.set(asked.key, decided);
    return Response.json(decided.body, { status: decided.status, ...(decided.headers === undefined ? {} : { headers: decided.headers }) });
  };
}

const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';

/** The 402 of x402's second version, with one offer. */
export function terms(payTo: string, amount: string, url = 'http://127.0.0.1/x'): string {
  const offer = {
    scheme: 'exact',
    network: 'eip155:84532',
    amount,
    asset: USDC,
    payTo,
    maxTimeoutSeconds: 60,
    extra: { name: 'USDC', version: '2' },
  };
  return Buffer.from(
    JSON.stringify({
      x402Version: 2,
      error: 'payment required',
      resource: { url, description: 'x', mimeType: 'application/json' },
      accepts: [offer],
    }),
  ).toString('base64');
}
