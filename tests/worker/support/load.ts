/**
 * Payers who pay without pause while the gate is changed under them: each payment is of a payer of its own, is sent
 * several times at once, and is remembered with all that came back.
 *
 * A connection may break while the gate restarts; what is lost then may have been an answer, a delivery or nothing.
 */
import assert from 'node:assert/strict';

import { plant } from './operator.ts';
import type { Payment, PayOptions } from './payer.ts';
import type { Answer } from './raw.ts';
import {
  begin,
  callsOf,
  eventually,
  expectPaid,
  jsonOf,
  MODES,
  type Mode,
  nextNumber,
  ordinaryCalls,
  payFor,
  send,
  type World,
} from './world.ts';

export type Sent = {
  readonly mode: Mode;
  readonly target: string;
  readonly payment: Payment;
  /** What {@link Load.phase} was when it was first sent. */
  readonly phase: string;
  /** Complete answers, as they arrived. */
  readonly answers: Answer[];
  /** Whether an answer was lost. */
  cut: boolean;
};

const COPIES = 3;
/** Payments that end before and after the change. */
const ENOUGH = 18;
/** Answers that stay. */
const ENDS = ['payment_already_delivered', 'origin_failed', 'refund_due'];
const PASSING = ['payment_in_progress', 'settlement_unknown', 'payment_unresolved'];

export class Load {
  readonly sent: Sent[] = [];
  phase: string;
  readonly #world: World;
  #ended = 0;

  constructor(world: World, phase: string) {
    this.#world = world;
    this.phase = phase;
  }

  /** Lets payers come before, during and after a change. */
  async during(change: () => Promise<void>): Promise<void> {
    let over = false;
    const lane = async (mode: Mode): Promise<void> => {
      while (!over) {
        const sent = await this.sign(mode);
        await this.send(sent, COPIES);
        this.#ended += 1;
      }
    };
    const lanes = begin(Promise.all([...MODES, ...MODES, ...MODES].map(lane)));
    const more = (): Promise<void> => {
      const enough = this.#ended + ENOUGH;
      return Promise.race([eventually('payments go on', () => this.#ended >= enough), lanes.then(() => undefined)]);
    };
    try {
      await more();
      await change();
      await more();
    } finally {
      over = true;
    }
    await lanes;
  }

  /** A payment that is not sent yet; every other one has a secret. */
  async sign(mode: Mode, options: PayOptions = {}): Promise<Sent> {
    const number = nextNumber();
    const target = `/${mode}/load-${number}`;
    const identifier = number % 2 === 0 ? { identifier: `load-${number}-0123456789abcdef` } : {};
    for (;;) {
      const payment = await payFor(this.#world, target, { ...identifier, ...options }).catch(unlessCut);
      if (payment !== undefined) {
        const sent = { mode, target, payment, phase: this.phase, answers: [], cut: false };
        this.sent.push(sent);
        return sent;
      }
      await this.#isBack();
    }
  }

  /** Sends a payment, several times at once. */
  async send(sent: Sent, copies = 1): Promise<void> {
    const one = async (): Promise<void> => {
      const answer = await send(this.#world, sent.target, sent.payment).catch(unlessCut);
      if (answer?.complete === true) sent.answers.push(answer);
      else sent.cut = true;
    };
    await Promise.all(Array.from({ length: copies }, one));
    if (sent.cut) await this.#isBack();
  }

  /** Sends these payments again, twice at once, until each has its end. */
  async again(wanted: (sent: Sent) => boolean): Promise<void> {
    await Promise.all(this.sent.filter(wanted).map((sent) => this.#toItsEnd(sent)));
  }

  /** What has to hold of every payment, however often it was sent and whatever was changed. */
  expectOnce(): void {
    for (const { payment, target, mode, answers, cut } of this.sent) {
      const said = `${target}: ${answers.map(spoken).join(', ')}`;
      const calls = callsOf(this.#world, payment.payer, target);
      const delivered = answers.filter((answer) => answer.status === 200 && answer.headers['payment-replayed'] === undefined);
      const settles = this.#world.facilitator.of('settle', payment.payer).map(({ body }) => body.toString('latin1'));
      for (const answer of answers) if (answer.status === 200) expectPaid(answer, payment);
      if (cut) {
        assert.ok(calls.origin <= 1, `asked the origin ${calls.origin} times for ${said}`);
        assert.ok(new Set(settles).size <= 1, `settled other bytes for ${said}`);
        assert.ok(delivered.length <= 1, `delivered more than once for ${said}`);
      } else {
        assert.deepEqual(calls, ordinaryCalls(mode), said);
        assert.equal(delivered.length, 1, said);
      }
    }
  }

  /** Rows of all objects, of which there is one for each payment; the gate has to be stopped. */
  expectOneRowEach(): void {
    assert.equal(plant(this.#world.gate, 'SELECT key FROM payments'), this.sent.length);
  }

  async #toItsEnd(sent: Sent): Promise<void> {
    await eventually(`an end for ${sent.target}`, async () => {
      const before = sent.answers.length;
      await this.send(sent, 2);
      const answers = sent.answers.slice(before);
      for (const answer of answers) {
        const code = codeOf(answer);
        assert.ok(answer.status === 200 || ENDS.includes(code) || PASSING.includes(code), `${sent.target}: ${spoken(answer)}`);
      }
      return answers.length > 0 && answers.every((answer) => answer.status === 200 || ENDS.includes(codeOf(answer)));
    });
  }

  #isBack(): Promise<void> {
    return eventually('the gate answers again', async () => (await this.#world.gate.raw('GET', '/free').catch(unlessCut))?.status === 200);
  }
}

/** The code of a problem, or nothing. */
export function codeOf(answer: Answer): string {
  return answer.status === 200 ? '' : String(jsonOf(answer)['code']);
}

function spoken(answer: Answer): string {
  return `${answer.status} ${codeOf(answer)}`;
}

function unlessCut(error: unknown): undefined {
  if (error instanceof Error && /ECONNREFUSED|ECONNRESET|EPIPE|connection ended/.test(error.message)) return undefined;
  throw error;
}
