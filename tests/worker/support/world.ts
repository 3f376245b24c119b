/**
 * One gate between a scripted facilitator and a scripted origin, and the assertions that every suite repeats.
 *
 * Each case takes its own payer and its own path, so counts are absolute and cases may run side by side.
 */
import assert from 'node:assert/strict';

import { Facilitator } from './facilitator.ts';
import { Gate, type GateOptions, type Value } from './gate.ts';
import { Origin } from './origin.ts';
import {
  freshPayer,
  type Json,
  type JsonObject,
  type Payer,
  type Payment,
  type PaymentRequired,
  type PayOptions,
  pay,
  requiredBy,
  settlementOf,
} from './payer.ts';
import type { Answer, Connection, HeaderRow, RawRequest } from './raw.ts';

export type Mode = 'after' | 'before';
export type Calls = { readonly verify: number; readonly settle: number; readonly origin: number };

export type World = { readonly gate: Gate; readonly facilitator: Facilitator; readonly origin: Origin; stop(): Promise<void> };

export const MODES: readonly Mode[] = ['after', 'before'];
export const PAY_TO = '0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f';
export const ASSET = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
export const NO_CALLS: Calls = { verify: 0, settle: 0, origin: 0 };
/** Short, but inside what the configuration allows. */
export const QUICK = { settle_secs: 2, resend_secs: [1, 1, 1], chain_secs: [1, 1], refund_secs: 5 };
export const ORIGIN_TIMEOUT_SECS = 2;

export const SECRETS: Readonly<Record<string, string>> = {
  GATE_SECRET: 'gate-secret-of-the-test-suite-0123456789abcdef',
  LEDGER_SALT: 'ledger-salt-of-the-test-suite-0123456789',
  OPERATOR_TOKEN: 'operator-token-of-the-test-suite-0123456789',
};

/** `/after/*` and `/before/*` cost $0.01, `/dear/*` $0.02, `/get/*` allows GET alone; everything else is free. */
export function routes(extra: readonly Value[] = []): readonly Value[] {
  const common = { max_timeout_secs: 60, origin_timeout_secs: ORIGIN_TIMEOUT_SECS };
  return [
    { path: '/after/*', price: '$0.01', settle: 'after', description: 'after', ...common },
    { path: '/before/*', price: '$0.01', settle: 'before', description: 'before', ...common },
    { path: '/dear/*', price: '$0.02', settle: 'after', ...common },
    { path: '/twin/*', price: '$0.01', settle: 'after', ...common },
    { path: '/get/*', methods: ['GET'], price: '$0.01', ...common },
    ...extra,
  ];
}

/** Who is the origin: a server at `ORIGIN_URL`, a Worker bound as `ORIGIN`, or what stands behind a zone route. */
export type OriginKind = 'url' | 'bound' | 'zone';

export type WorldOptions = Partial<Omit<GateOptions, 'vars' | 'worker'>> & {
  readonly origin?: OriginKind;
  readonly vars?: Readonly<Record<string, Value>>;
  readonly routes?: readonly Value[];
  /** Variables that name the world's facilitator. */
  readonly withFacilitator?: (url: string) => Readonly<Record<string, Value>>;
  /** Variables to leave out. */
  readonly without?: readonly string[];
  /** The key that its facilitator takes, below this path [none]. */
  readonly auth?: { readonly is: Value; readonly path?: string };
};

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const facilitator = await Facilitator.start();
  const origin = await Origin.start();
  const vars: Record<string, Value> = {
    NETWORK: 'eip155:84532',
    PAY_TO,
    FACILITATOR_URL: options.auth ? [{ url: facilitator.url + (options.auth.path ?? ''), auth: options.auth.is }] : facilitator.url,
    ORIGIN_URL: origin.url,
    ROUTES: JSON.stringify(options.routes ?? routes()),
    RECOVERY: QUICK,
    ...options.vars,
    ...options.withFacilitator?.(facilitator.url),
  };
  const bindings = { ...SECRETS, ...options.secrets };
  for (const name of options.without ?? []) {
    delete vars[name];
    delete bindings[name];
  }
  const kind = options.origin ?? 'url';
  if (kind !== 'url' && options.vars?.['ORIGIN_URL'] === undefined) delete vars['ORIGIN_URL'];
  const { build, persist, probe, perMinute, beside, config, prices } = options;
  const gate = await Gate.start({
    vars,
    secrets: bindings,
    ...(build === undefined ? {} : { build }),
    ...(persist === undefined ? {} : { persist }),
    ...(probe === undefined ? {} : { probe }),
    ...(perMinute === undefined ? {} : { perMinute }),
    ...(beside === undefined ? {} : { beside }),
    ...(config === undefined ? {} : { config }),
    ...(kind === 'url' ? {} : { worker: { as: kind, origin: origin.url, facilitator: facilitator.url } }),
    ...(prices === undefined ? {} : { prices }),
  }).catch(async (error: unknown) => {
    await Promise.all([facilitator.stop(), origin.stop()]);
    throw error;
  });
  return {
    gate,
    facilitator,
    origin,
    stop: async () => {
      await gate.stop();
      await Promise.all([facilitator.stop(), origin.stop()]);
    },
  };
}

/** Asks without paying and signs what the 402 asks for. */
export async function payFor(
  world: World,
  target: string,
  options: PayOptions & { readonly payer?: Payer; readonly method?: string } = {},
): Promise<Payment> {
  const asked = await world.gate.raw(options.method ?? 'GET', target);
  assert.equal(asked.status, 402, `an unpaid ${target} is asked for payment: ${asked.text.slice(0, 300)}`);
  return pay(options.payer ?? freshPayer(), requiredBy(asked), options);
}

/** Sends a request with a payment, on `connection` when given, or to the Worker that listens `at` another place. */
export async function send(
  world: World,
  target: string,
  payment: Payment | undefined,
  options: Partial<RawRequest> & { readonly connection?: Connection; readonly at?: string } = {},
): Promise<Answer> {
  const { connection, at, ...rest } = options;
  const used = connection ?? (await world.gate.connect(at));
  try {
    return await used.send({
      method: 'GET',
      target,
      ...rest,
      headers: [...(payment === undefined ? [] : [payment.row]), ...(options.headers ?? [])],
    });
  } finally {
    if (connection === undefined) used.close();
  }
}

/** Pays for something else on the same connection (a new one if the server closed it) and gets it. */
export async function expectNextGoodRequest(world: World, connection: Connection, mode: Mode = 'after'): Promise<void> {
  const path = `/${mode}/next-good-${nextNumber()}`;
  const payment = await payFor(world, path);
  const used = connection.ended ? await world.gate.connect() : connection;
  const answer = await send(world, path, payment, { connection: used });
  if (used !== connection) used.close();
  expectPaid(answer, payment);
  expectCalls(world, payment.payer, path, ordinaryCalls(mode));
}

export function ordinaryCalls(mode: Mode): Calls {
  return { verify: mode === 'after' ? 1 : 0, settle: 1, origin: 1 };
}

export function callsOf(world: World, payer: string, path: string): Calls {
  return {
    verify: world.facilitator.of('verify', payer).length,
    settle: world.facilitator.of('settle', payer).length,
    origin: world.origin.of(path).length,
  };
}

export function expectCalls(world: World, payer: string, path: string, expected: Calls): void {
  assert.deepEqual(callsOf(world, payer, path), expected, `calls for ${path}`);
}

export function jsonOf(answer: Answer): JsonObject {
  return JSON.parse(answer.text) as JsonObject;
}

export type Refusal = { readonly status: number; readonly code: string; readonly retryAfter?: number };

/** A refusal as `application/problem+json`, with every member in place. */
export function expectProblem(answer: Answer, refusal: Refusal): JsonObject {
  const said = `${answer.status} ${answer.text.slice(0, 300)}`;
  assert.equal(answer.status, refusal.status, said);
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json\b/, said);
  const problem = jsonOf(answer);
  assert.equal(problem['code'], refusal.code, said);
  assert.equal(problem['type'], `urn:farebox:problem:${refusal.code}`);
  assert.equal(problem['status'], refusal.status);
  for (const member of ['title', 'reason', 'detail', 'correlation_id']) {
    assert.ok(typeof problem[member] === 'string' && problem[member] !== '', `${member}: ${said}`);
  }
  assert.equal(typeof problem['retryable'], 'boolean', said);
  if (refusal.retryAfter !== undefined) assert.equal(problem['retryable'], true, said);
  assert.equal(answer.headers['retry-after'], refusal.retryAfter?.toString(), said);
  assert.equal(problem['correlation_id'], answer.headers['x-correlation-id'], said);
  assert.match(answer.headers['x-correlation-id'] ?? '', /^[A-Za-z0-9_-]{8,64}$/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers['payment-required'], undefined, 'a problem carries no terms');
  return problem;
}

/** A 402 with terms for both protocol versions; gives the v1 body and the v2 header. */
export function expectFreshTerms(answer: Answer, code?: string): { body: JsonObject; required: PaymentRequired } {
  const said = `${answer.status} ${answer.text.slice(0, 300)}`;
  assert.equal(answer.status, 402, said);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(settlementOf(answer), undefined, 'fresh terms come without a settlement header');
  const required = requiredBy(answer);
  assert.equal(required.x402Version, 2);
  const body = jsonOf(answer);
  assert.equal(body['x402Version'], 1, said);
  assert.ok(typeof body['error'] === 'string' && body['error'] !== '', said);
  assert.ok(typeof body['code'] === 'string' && body['code'] !== '', said);
  if (code !== undefined) assert.equal(body['code'], code, said);
  assert.deepEqual(nullsIn(body), [], 'stock v1 clients refuse null members');
  return { body, required };
}

/** A delivered answer whose settlement header names this payment's transaction. */
export function expectPaid(answer: Answer, payment: Payment, status = 200): JsonObject {
  assert.equal(answer.status, status, answer.text.slice(0, 300));
  const version = payment.row[0] === 'X-PAYMENT' ? 1 : 2;
  assert.ok(answer.headers[version === 1 ? 'x-payment-response' : 'payment-response'], 'settlement header');
  const settlement = settlementOf(answer) ?? {};
  assert.equal(settlement['success'], true);
  assert.equal(settlement['transaction'], payment.transaction);
  assert.equal(settlement['network'], version === 1 ? 'base-sepolia' : 'eip155:84532');
  assert.equal(String(settlement['payer']).toLowerCase(), payment.payer.toLowerCase());
  const caching = (answer.headers['cache-control'] ?? '').split(',').map((part) => part.trim());
  assert.deepEqual([...caching].sort(), ['no-store', 'private']);
  return settlement;
}

/** Header rows with this name, in lower case. */
export function rowsNamed(rows: readonly HeaderRow[], name: string): string[] {
  return rows.filter(([found]) => found.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/**
 * Waits until `done` holds, and asks less often the longer that takes; fails with `what` after `withinMs`.
 *
 * That is only for what never comes: a busy machine may take many times as long as a quiet one.
 */
export async function eventually(what: string, done: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const started = performance.now();
  while (!(await done())) {
    const waited = performance.now() - started;
    assert.ok(waited < withinMs, `${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(20 + waited / 10, 250)));
  }
}

/** Work that goes on beside; should the test fail first, its own failure is not the one reported. */
export function begin<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

let number = 0;

/** A number that no other case of this file has. */
export function nextNumber(): number {
  number += 1;
  return number;
}

function nullsIn(value: Json, at = '$'): string[] {
  if (value === null) return [at];
  if (typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) => nullsIn(inner as Json, `${at}.${key}`));
}
