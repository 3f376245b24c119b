// One kill: eight payments on their way, workerd dead at a chosen moment, its rows read back, and workerd again.

import assert from 'node:assert/strict';
import { freshPayer, type Payment, send, sign } from './payments.ts';
import { type Mode, type Point, parkingOf, statesSince } from './points.ts';
import type { Row } from './rows.ts';
import type { Moment, Verdict } from './switchboard.ts';
import { fund, VALID_FOR_SECS, type World } from './world.ts';

/** Payments per kill, and from how many payers. */
const PAYMENTS = 8;
const PAYERS = 4;
/** How many of them stand at the kill's own point. */
const AT_POINT = 4;
const REACH_MS = 30_000;
const POLL_MS = 10;

/** Kills of this process: payments are named after them. */
let kills = 0;

/** Kills of one world and all payments that they met. */
export class Campaign {
  readonly world: World;
  readonly payments: Payment[] = [];
  /** Requests whose answer nobody waits for yet. */
  readonly #pending: Promise<unknown>[] = [];

  constructor(world: World) {
    this.world = world;
  }

  /** Kills while payments stand at `point`, and others elsewhere; fails unless all of them got there. */
  async killAt(mode: Mode, point: Point): Promise<void> {
    const { switchboard } = this.world;
    const kind = point.client === 'bytes' ? 'events' : 'report';
    const count = point.alone === true || point.client === 'head' ? 1 : AT_POINT;
    const payments = await this.#order(Array.from({ length: PAYMENTS }, (_, index) => ({ mode, kind: index < count ? kind : 'report' })));
    const [targets, others] = [payments.slice(0, count), payments.slice(count)];
    const spots = new Map<string, Point>(targets.map(({ id }) => [id, point]));
    try {
      await this.#park(mode, others, spots);
      await this.#strikeAt(point, targets);
    } catch (error) {
      // What is still stopped would never end.
      for (const { id } of payments) switchboard.release(id, 'drop');
      throw error;
    }
    const rows = await this.#autopsy(payments);
    await this.#resume(payments);
    for (const payment of payments) {
      const allowed = spots.get(payment.id)?.states[mode] ?? ['delivered'];
      const state = rows.get(payment.id)?.state ?? 'absent';
      assert.ok(
        allowed.includes(state),
        `${payment.id}, ${spots.get(payment.id)?.name ?? 'served'}: ${state}, not ${allowed.join(' or ')}`,
      );
    }
  }

  /** One payment is served; the others stop at places of their own, which go into `spots`. */
  async #park(mode: Mode, payments: readonly Payment[], spots: Map<string, Point>): Promise<void> {
    const { gate, switchboard } = this.world;
    const [done, ...parked] = payments;
    assert.ok(done);
    const places = parkingOf(mode);
    parked.forEach((payment, index) => {
      const spot = places[(kills + index) % places.length];
      assert.ok(spot);
      spots.set(payment.id, spot);
      switchboard.hold(payment.id, spot.message);
      this.#send(payment);
    });
    const served = await send(gate.url, done);
    assert.equal(served.status, 200, served.text);
    for (const payment of parked) {
      const spot = spots.get(payment.id);
      if (spot !== undefined) await this.#reached(payment, spot);
    }
  }

  /** Brings payments to a point, and kills. */
  async #strikeAt(point: Point, targets: readonly Payment[]): Promise<void> {
    const { switchboard } = this.world;
    const own = new Set(targets.map(({ id }) => id));
    const death = deferred();
    const kill = (): void => {
      this.#strike();
      death.resolve();
    };
    if (point.client === 'head') {
      targets.forEach((payment) => this.#send(payment, { onHead: (status) => (status === 200 ? kill() : undefined) }));
    } else {
      const flowing = new Set<string>();
      for (const payment of targets) {
        if (point.loses !== undefined) switchboard.hold(payment.id, point.loses);
        switchboard.hold(payment.id, point.message);
        if (point.then !== undefined) switchboard.hold(payment.id, point.then);
        this.#send(payment, { onBytes: () => flowing.add(payment.id) });
      }
      if (point.loses !== undefined) await this.#lose(targets, point);
      for (const payment of targets) await this.#reached(payment, point);
      if (point.client === 'bytes') await poll('the first bytes of every stream', () => flowing.size === targets.length);
      if (point.when === 'before') kill();
      else {
        switchboard.watch = ({ when, name, payment }) => {
          if (when === 'after' && name === point.message && own.has(payment)) kill();
          return undefined;
        };
        for (const { id } of targets) switchboard.pass(id, point.message);
      }
    }
    await within(death.promise, `${point.name} was not reached`, () => describe(targets));
  }

  /** Kills when the `count`th message of eight payments of both modes passes, which then arrives or does not. */
  async killAmid(count: number, verdict: Verdict): Promise<void> {
    const { switchboard } = this.world;
    const payments = await this.#order(
      Array.from({ length: PAYMENTS }, (_, index) => ({ mode: MODES[index % 2] ?? 'after', kind: 'report' })),
    );
    const own = new Set(payments.map(({ id }) => id));
    const last = new Map<string, Moment | undefined>();
    const death = deferred();
    let seen = 0;
    switchboard.watch = ({ payment }) => {
      if (!own.has(payment) || (seen += 1) !== count) return undefined;
      this.#strike();
      // That a message has left is noted late, at times after the next one came; that it came is noted in order.
      for (const id of own)
        last.set(
          id,
          switchboard.history.get(id)?.findLast(({ when }) => when === 'before'),
        );
      death.resolve();
      return verdict;
    };
    payments.forEach((payment) => this.#send(payment));
    await within(
      death.promise,
      `message ${count} did not come, nor an end of all answers`,
      () => `${seen} messages; ${describe(payments)}`,
    );
    const rows = await this.#autopsy(payments);
    await this.#resume(payments);
    for (const { id, mode } of payments) {
      const moment = last.get(id);
      const allowed = statesSince(mode, moment);
      const state = rows.get(id)?.state ?? 'absent';
      const since = moment === undefined ? 'nothing' : `${moment.name} came`;
      assert.ok(allowed.includes(state), `${id}, ${mode}, ${since}: ${state}, not ${allowed.join(' or ')}`);
    }
  }

  /** Waits for every request that was sent and every message on its way. */
  async settled(): Promise<void> {
    while (this.#pending.length > 0) await Promise.all(this.#pending.splice(0));
    await this.world.idle();
  }

  /** Rows by payment. */
  async rows(how: 'alive' | 'dead' = 'alive'): Promise<Map<string, Row>> {
    const { rows, gate } = this.world;
    const found = await (how === 'alive' ? rows.read(gate.stored, gate.pid) : rows.read(gate.stored));
    // Each payment is for a target of its own.
    const byTarget = new Map(found.map((row) => [targetOf(row.url), row]));
    assert.equal(byTarget.size, found.length, 'a target has one row');
    return new Map(
      this.payments.flatMap(({ id, target }) => {
        const row = byTarget.get(target);
        return row === undefined ? [] : [[id, row] as const];
      }),
    );
  }

  async #order(wanted: readonly { mode: Mode; kind: string }[]): Promise<Payment[]> {
    const { chain, gate, required, switchboard } = this.world;
    kills += 1;
    const payers = Array.from({ length: PAYERS }, freshPayer);
    await Promise.all(payers.map(({ address }) => fund(chain, address)));
    const payments = await Promise.all(
      wanted.map(({ mode, kind }, index) => {
        const payer = payers[index % PAYERS];
        assert.ok(payer);
        const id = `k${kills}p${index}`;
        const query = kind === 'events' ? '?count=2&every=1' : '';
        // Modes alternate one by one: protocols two by two, and the other way round at the next kill.
        const protocol = ((index >> 1) + kills) % 2 === 0 ? 'x402' : 'mpp';
        return sign({
          id,
          mode,
          protocol,
          payer,
          required: required[mode],
          target: `/${kind}/${mode}/${id}${query}`,
          url: gate.url,
          validForSecs: VALID_FOR_SECS,
          identified: index % 4 !== 3,
        });
      }),
    );
    for (const payment of payments) switchboard.register(payment);
    this.payments.push(...payments);
    return payments;
  }

  #send(payment: Payment, watch: Parameters<typeof send>[2] = {}): void {
    this.#pending.push(send(this.world.gate.url, payment, watch));
  }

  async #reached(payment: Payment, { name, message }: Point): Promise<void> {
    await poll(
      `${payment.id} at ${name}`,
      () => this.world.switchboard.isHeld(payment.id, message),
      () => describe([payment]),
    );
  }

  /** Cuts the connection under the message that `point` is to lose. */
  async #lose(payments: readonly Payment[], point: Point): Promise<void> {
    const { switchboard } = this.world;
    for (const { id } of payments) {
      await poll(`${id} at ${point.loses}`, () => point.loses !== undefined && switchboard.isHeld(id, point.loses));
      switchboard.release(id, 'drop');
      switchboard.hold(id, point.message);
    }
  }

  #strike(): void {
    this.world.gate.kill();
    this.world.switchboard.watch = undefined;
  }

  async #autopsy(payments: readonly Payment[]): Promise<Map<string, Row>> {
    await poll('the end of workerd', () => !this.world.gate.isAlive());
    const rows = await this.rows('dead');
    const own = new Set(payments.map(({ id }) => id));
    return new Map([...rows].filter(([id]) => own.has(id)));
  }

  /** Workerd again; half of the stopped messages arrive after all, half of the payers send again at once. */
  async #resume(payments: readonly Payment[]): Promise<void> {
    await this.world.gate.restart();
    payments.forEach((payment, index) => {
      this.world.switchboard.release(payment.id, index % 4 < 2 ? 'pass' : 'drop');
      if (index % 2 === 0) this.#send(payment);
    });
  }
}

/** Waits for something that has no event of its own; fails with what it waited for. */
export async function poll(
  what: string,
  holds: () => boolean | Promise<boolean>,
  detail = () => '',
  limitMs = REACH_MS,
  everyMs = POLL_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`${what}: not within ${limitMs} ms. ${detail()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

async function within(promise: Promise<void>, what: string, detail: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what}. ${detail()}` })), REACH_MS);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function describe(payments: readonly Payment[]): string {
  return payments
    .map(({ id, answers }) => `${id}: ${answers.map(({ status, text }) => `${status} ${text.slice(0, 200)}`).join(', ') || 'no answer'}`)
    .join('; ');
}

function targetOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

const MODES: readonly Mode[] = ['after', 'before'];
