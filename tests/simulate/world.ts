// Two Workers with tables of their own on the same ledger objects, between a chain, a facilitator and an origin that know the truth.
//
// Every request goes through `request`, which keeps what was shown, what was offered and what came back.

import { challengesIn, requestOf } from '../support/mpp-wire.ts';
import { Gate, type Value } from '../worker/support/gate.ts';
import { Origin, type OriginReply } from '../worker/support/origin.ts';
import type { PaymentRequired } from '../worker/support/payer.ts';
import type { HeaderRow } from '../worker/support/raw.ts';
import { ORIGIN_TIMEOUT_SECS, PAY_TO, QUICK, SECRETS } from '../worker/support/world.ts';
import { Chain } from './chain.ts';
import { Facilitator } from './facilitator.ts';

/** Which of the two Workers is asked: they agree on all routes but those that begin with `/moved`. */
export type Side = 'gate' | 'beside';

/** One request and its answer. */
export interface Exchange {
  readonly who: string;
  readonly what: string;
  readonly target: string;
  /** Nonce of the authorization that was shown. */
  readonly nonce: string | undefined;
  /** 0 where no answer came, or only a part of it. */
  readonly status: number;
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Whether workerd ended meanwhile, or did not run. */
  readonly killed: boolean;
}

export interface Request {
  readonly who: string;
  readonly what: string;
  readonly side: Side;
  readonly target: string;
  readonly address: string;
  readonly nonce?: string;
  readonly headers?: readonly HeaderRow[];
}

/** How often the origin may run for one target, at most, before its answers are the same. */
const RUNS = 6;

export class World {
  readonly chain: Chain;
  readonly facilitator: Facilitator;
  readonly origin: Origin;
  readonly gate: Gate;
  readonly exchanges: Exchange[] = [];
  /** Amounts that some answer has asked for a target. */
  readonly offers = new Map<string, Set<string>>();
  /** Ends and beginnings of workerd: it runs while the number is even. */
  #kills = 0;
  #tables: readonly [Value, Value];

  private constructor(chain: Chain, facilitator: Facilitator, origin: Origin, gate: Gate, tables: readonly [Value, Value]) {
    [this.chain, this.facilitator, this.origin, this.gate, this.#tables] = [chain, facilitator, origin, gate, tables];
  }

  static async start(denied: readonly string[]): Promise<World> {
    const chain = await Chain.start();
    const facilitator = await Facilitator.start(chain);
    const origin = await Origin.start();
    const tables = [table('$0.01'), table('$0.02')] as const;
    const vars = {
      NETWORK: 'eip155:84532',
      PAY_TO,
      FACILITATOR_URL: facilitator.url,
      ORIGIN_URL: origin.url,
      RPC_URL: chain.url,
      LEDGER_SHARDS: 2,
      DENY_PAYERS: denied,
      ROUTES: tables[0],
      RECOVERY: { ...QUICK, breaker_secs: 1 },
    };
    const gate = await Gate.start({ vars, secrets: SECRETS, beside: { ROUTES: tables[1] } });
    return new World(chain, facilitator, origin, gate, tables);
  }

  async stop(): Promise<void> {
    await this.gate.stop();
    await Promise.all([this.chain.stop(), this.facilitator.stop(), this.origin.stop()]);
  }

  /** Kills workerd and starts it again on the same folder. */
  kill(): Promise<void> {
    return this.#without(() => this.gate.restart('kill'));
  }

  /** The two Workers exchange their tables, as when a deployment is taken back. */
  swap(): Promise<void> {
    this.#tables = [this.#tables[1], this.#tables[0]];
    return this.#without(() => this.gate.restart('dispose', { vars: { ROUTES: this.#tables[0] }, beside: { ROUTES: this.#tables[1] } }));
  }

  async #without(restart: () => Promise<void>): Promise<void> {
    this.#kills += 1;
    await restart();
    this.#kills += 1;
  }

  /** Lets the origin answer a target so, with a name of its own in the body of each run. */
  script(target: string, reply: OriginReply): void {
    const path = target.split('?')[0] ?? '';
    this.origin.script(path, ...Array.from({ length: RUNS }, (_, run) => ({ ...reply, body: pieces(serial(path, run), reply) })));
  }

  /** Sends one request on a connection of its own. */
  async request({ who, what, side, target, address, nonce, headers = [] }: Request): Promise<Exchange> {
    const kills = this.#kills;
    const answer = await this.#send(side, target, [['CF-Connecting-IP', address], ...headers]);
    const { status, text } = answer ?? { status: 0, text: '' };
    const exchange = {
      who,
      what,
      target,
      nonce: nonce?.toLowerCase(),
      status: answer?.complete === true ? status : 0,
      code: codeIn(text),
      text,
      headers: answer?.headers ?? {},
      killed: kills !== this.#kills || kills % 2 === 1,
    };
    this.exchanges.push(exchange);
    for (const amount of amountsIn(exchange)) this.offers.set(target, (this.offers.get(target) ?? new Set()).add(amount));
    return exchange;
  }

  async #send(side: Side, target: string, headers: readonly HeaderRow[]): Promise<Awaited<ReturnType<Gate['raw']>> | undefined> {
    try {
      const connection = await this.gate.connect(side === 'gate' ? this.gate.url : this.gate.besideUrl);
      try {
        return await connection.send({ method: 'GET', target, headers, timeoutMs: ANSWER_MS });
      } finally {
        connection.close();
      }
    } catch {
      return undefined;
    }
  }

  /** Asks the operator's API. */
  async operator(path: string): Promise<Record<string, unknown>> {
    const answer = await this.gate.raw('GET', `/_farebox/${path}`, [['Authorization', `Bearer ${SECRETS['OPERATOR_TOKEN']}`]]);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
    return JSON.parse(answer.text) as Record<string, unknown>;
  }
}

/** What stands in the answer to a run of the origin. */
export const SERIAL = /served:[^"\\ ]+#\d+/;

/** Longer than anything that the gate waits for. */
const ANSWER_MS = 30_000;

function serial(path: string, run: number): string {
  return `served:${path}#${run}`;
}

/** A body that is worth something unless the origin fails, as a stream of pieces where the reply has a beat. */
function pieces(name: string, { everyMs, status = 200 }: OriginReply): string | readonly string[] {
  const body = JSON.stringify(status === 200 ? { name } : { error: status });
  return everyMs === undefined ? body : [body, '\n', '\n'];
}

function table(moved: string): Value {
  const common = { max_timeout_secs: 60, origin_timeout_secs: ORIGIN_TIMEOUT_SECS };
  return (['after', 'before'] as const).flatMap((settle) => [
    { path: `/${settle}/*`, price: '$0.01', settle, ...common },
    { path: `/moved-${settle}/*`, price: moved, settle, ...common },
  ]);
}

function codeIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { code?: string }).code;
  } catch {
    return undefined;
  }
}

/** What a 402 asks for, in every protocol. */
function amountsIn({ status, headers }: Exchange): string[] {
  const required = headers['payment-required'];
  if (status !== 402 || required === undefined) return [];
  const { accepts } = JSON.parse(Buffer.from(required, 'base64').toString('utf8')) as PaymentRequired;
  const challenges = challengesIn(headers['www-authenticate'] ?? '');
  return [...accepts.map(({ amount }) => amount), ...challenges.map((challenge) => requestOf(challenge).amount)];
}
