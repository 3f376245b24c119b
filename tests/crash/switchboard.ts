// Every message between the parts passes here, and some are stopped.
//
// A message belongs to the payment whose nonce or path it names. A hold stops it before it is passed on, until
// somebody decides what becomes of it; a hold serves once, so that a later send of the same payment passes.

/** The messages that proxies see: of the facilitator, the origin, the facilitator's chain and the gate's chain. */
export const MESSAGES = [
  'verify.request',
  'verify.reply',
  'settle.request',
  'settle.reply',
  'origin.request',
  'origin.head',
  'origin.end',
  'chain.request',
  'chain.reply',
  'rpc.request',
  'rpc.reply',
] as const;
export type MessageName = (typeof MESSAGES)[number];

/** Before a message is passed on, or after its last byte was handed to the operating system. */
export type When = 'before' | 'after';

/** What becomes of a message that was stopped. */
export type Verdict = 'pass' | 'drop';

export interface Moment {
  readonly when: When;
  readonly name: MessageName;
  readonly payment: string;
}

/** A payment as messages name it. */
export interface Named {
  readonly id: string;
  /** With `0x`. */
  readonly nonce: string;
}

interface Hold {
  readonly name: MessageName;
  reached: boolean;
  decide: (verdict: Verdict) => void;
  readonly verdict: Promise<Verdict>;
}

export class Switchboard {
  /** What every payment has been through. */
  readonly history = new Map<string, Moment[]>();
  /** The bodies of all settle requests of a payment. */
  readonly settleBodies = new Map<string, string[]>();
  /** Sees each moment first; its answer, if any, is what becomes of the message. */
  watch: ((moment: Moment) => Verdict | undefined) | undefined;
  readonly #nonces = new Map<string, string>();
  readonly #holds = new Map<string, Hold[]>();

  register({ id, nonce }: Named): void {
    this.#nonces.set(nonce.slice(2).toLowerCase(), id);
    this.history.set(id, []);
  }

  /** The payment that a text names, by path or by nonce. */
  paymentIn(text: string): string | undefined {
    const path = ID.exec(text)?.[0];
    if (path !== undefined && this.history.has(path)) return path;
    const lower = text.toLowerCase();
    for (const [nonce, id] of this.#nonces) if (lower.includes(nonce)) return id;
    return undefined;
  }

  /** Stops the next such message of a payment. */
  hold(payment: string, name: MessageName): void {
    let decide: Hold['decide'] = () => {};
    const verdict = new Promise<Verdict>((resolve) => {
      decide = resolve;
    });
    const holds = this.#holds.get(payment) ?? [];
    this.#holds.set(payment, [...holds, { name, reached: false, decide, verdict }]);
  }

  /** Whether a hold has stopped its message. */
  isHeld(payment: string, name: MessageName): boolean {
    return this.#holds.get(payment)?.some((hold) => hold.name === name && hold.reached) ?? false;
  }

  /** Lets one stopped message of a payment go on. */
  pass(payment: string, name: MessageName): void {
    for (const hold of this.#holds.get(payment) ?? []) if (hold.name === name) hold.decide('pass');
  }

  /** Decides what a payment's holds have stopped, and takes away the ones that have stopped nothing. */
  release(payment: string, verdict: Verdict): void {
    for (const hold of this.#holds.get(payment) ?? []) hold.decide(verdict);
    this.#holds.delete(payment);
  }

  /** Called by proxies before they pass a message on. */
  before(name: MessageName, payment: string): Verdict | Promise<Verdict> {
    const verdict = this.#note({ when: 'before', name, payment });
    if (verdict !== undefined) return verdict;
    const hold = this.#holds.get(payment)?.find((candidate) => candidate.name === name && !candidate.reached);
    if (hold === undefined) return 'pass';
    hold.reached = true;
    return hold.verdict;
  }

  /** Called by proxies when a message has left them. */
  after(name: MessageName, payment: string): void {
    this.#note({ when: 'after', name, payment });
  }

  #note(moment: Moment): Verdict | undefined {
    this.history.get(moment.payment)?.push(moment);
    return this.watch?.(moment);
  }
}

/** Payments are called `k<kill>p<number>`, and so is the last segment of what they pay for. */
const ID = /\bk\d+p\d+\b/;
