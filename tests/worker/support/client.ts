/** A client of the gate with an address of its own, which pays well, badly or not at all. */
import assert from 'node:assert/strict';

import { type Diagnostic, diagnosticIn } from '../../support/diagnostic.ts';
import { freshPayer, type JsonObject, type Payer, type Payment, type PayOptions, pay, requiredBy } from './payer.ts';
import type { Answer, HeaderRow } from './raw.ts';
import { send, type World } from './world.ts';

let addresses = 0;

/** An address that no other client of this process has. */
function freshAddress(): string {
  addresses += 1;
  return `198.51.${Math.floor(addresses / 250)}.${addresses % 250}`;
}

export class Client {
  readonly world: World;
  readonly payer: Payer;
  readonly row: HeaderRow;

  constructor(
    world: World,
    { payer = freshPayer(), address = freshAddress() }: { readonly payer?: Payer; readonly address?: string } = {},
  ) {
    this.world = world;
    this.payer = payer;
    this.row = ['CF-Connecting-IP', address];
  }

  /** Asks without paying; `at` another place than the first Worker's. */
  async ask(path: string, at?: string): Promise<Answer> {
    const connection = await this.world.gate.connect(at);
    try {
      return await connection.send({ method: 'GET', target: path, headers: [this.row] });
    } finally {
      connection.close();
    }
  }

  /** Asks so often, eight at once; gives the last answer. */
  async askTimes(count: number, path: string): Promise<void> {
    let left = count;
    const some = async (): Promise<void> => {
      const connection = await this.world.gate.connect();
      while (left > 0) {
        left -= 1;
        await connection.send({ method: 'GET', target: path, headers: [this.row] });
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: Math.min(8, count) }, some));
  }

  /** Asks and signs what is asked for. */
  async sign(path: string, options: PayOptions = {}): Promise<Payment> {
    return pay(this.payer, requiredBy(await this.ask(path)), options);
  }

  send(path: string, payment: Payment): Promise<Answer> {
    return send(this.world, path, payment, { headers: [this.row] });
  }

  /** Asks, signs and sends. */
  async pay(path: string, options: PayOptions = {}): Promise<Answer> {
    return this.send(path, await this.sign(path, options));
  }

  /** Asks, signs, and sends as if somebody else had signed. */
  forge(path: string, from: string = freshPayer().address): Promise<Answer> {
    return this.pay(path, {
      tamper: (message) => {
        const { authorization } = message['payload'] as { authorization: JsonObject };
        authorization['from'] = from;
      },
    });
  }
}

/** What an answer says of failures. */
export function told(answer: Answer): Diagnostic {
  const diagnostic = diagnosticIn(answer);
  assert.ok(diagnostic, `${answer.status} says nothing: ${answer.text.slice(0, 300)}`);
  return diagnostic;
}

/** Code and escalation. */
export function verdict(answer: Answer): string {
  const diagnostic = diagnosticIn(answer);
  return diagnostic === undefined ? 'silent' : `${diagnostic.code}${diagnostic.escalate ? ' escalate' : ''}`;
}
