/** Runs the built treasury in workerd, and asks it as programs without a client do. */
import { randomBytes } from 'node:crypto';

import { type Answer, Built, modulesIn } from '../../support/built.ts';

export type { Answer } from '../../support/built.ts';

export const OPERATOR = 'operator-token-of-the-tests-0123456789';
export const VERSION = '0.1.0-alpha.22';
const BUILD = process.env['FAREBOX_TREASURY_BUILD'] ?? 'build/treasury';
export const DRILL = process.env['FAREBOX_TREASURY_DRILL_BUILD'] ?? 'build/treasury-drill';

/** A key that a configuration seeds. */
export const bootstrapKey = (organization: string, id: string): string => `fbk_${organization}_${id}_${'s3cret'.repeat(6)}`;

export type Options = {
  readonly build?: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  /** Services bound under these names. */
  readonly bound?: Readonly<Record<string, (request: Request) => Promise<Response>>>;
};

export class Treasury extends Built {
  readonly #options: Options;

  private constructor(options: Options) {
    super('treasury');
    this.#options = options;
  }

  static async start(options: Options = {}): Promise<Treasury> {
    const treasury = new Treasury(options);
    await treasury.begin();
    return treasury;
  }

  protected override options() {
    const { build = BUILD, vars, bound } = this.#options;
    return {
      modules: modulesIn(build),
      durableObjects: { TREASURY: { className: 'Treasury', useSQLite: true } },
      serviceBindings: { ...bound },
      bindings: { ...VARIABLES, ...vars },
    };
  }

  /** Asks as an agent's package does where there is a token. */
  override ask(
    method: string,
    path: string,
    { token, headers, ...more }: { token?: string; body?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const version = token === undefined ? {} : { token, headers: { 'x-402flow-sdk-version': VERSION, ...headers } };
    return super.ask(method, path, { ...(headers === undefined ? {} : { headers }), ...version, ...more });
  }

  /** Asks as the operator. */
  operate(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(method, `/api/organizations${path}`, {
      token: OPERATOR,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** A runtime token for a seeded key. */
  async token(organization = 'acme', id = 'buyer'): Promise<string> {
    const answer = await this.ask('POST', '/api/sdk/runtime-tokens', { token: bootstrapKey(organization, id) });
    return String(answer.json?.token);
  }
}

export const ANVIL_KEY = `0x${'59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'}`;
const VARIABLES = {
  TREASURY_SECRET: randomBytes(32).toString('hex'),
  OPERATOR_TOKEN: OPERATOR,
  TEST_NETWORKS_ONLY: true,
  ALLOW_LOCAL_MERCHANTS: true,
  BUYER_KEY: bootstrapKey('acme', 'buyer'),
  OTHER_KEY: bootstrapKey('other', 'buyer'),
  WALLET_KEY: ANVIL_KEY,
  WALLETS: [{ name: 'main', networks: ['eip155:84532'], secret: 'WALLET_KEY' }],
  ORGANIZATIONS: [
    {
      name: 'acme',
      environment: 'test',
      policy: { allowedOrigins: ['https://api.example.com'] },
      agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
    },
    { name: 'other', environment: 'test', policy: {}, agents: [{ name: 'buyer', bootstrapKey: 'OTHER_KEY' }] },
  ],
};
