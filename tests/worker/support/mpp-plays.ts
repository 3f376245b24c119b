/** Published situations of MPP as plays against a gate: the edit that a case makes to a good credential, made to one of ours. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import type { CredentialMessage, Deviations } from '../../support/mpp-payer.ts';
import { challengeIn, expectMppRefused, mppFor, PROBLEMS } from './mpp.ts';
import type { Answer, HeaderRow } from './raw.ts';
import { jsonOf, send, type World } from './world.ts';

export type Recorded = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly type?: string; readonly title?: string; readonly status?: number } | string;
};

/** What a case does here, at a path of its own. */
export type Play = (world: World, path: string) => Promise<Answer>;

/** An outcome that is not the package's: the check, and why. */
export type Otherwise = { readonly because: string; readonly check: (answer: Answer) => void };

export type Plays = Readonly<Record<string, readonly [Play, Otherwise?]>>;

export function paying(
  deviations: Deviations = {},
  rows: (value: string) => readonly HeaderRow[] = (value) => [['Authorization', value]],
): Play {
  return async (world, path) => send(world, path, undefined, { headers: rows((await mppFor(world, path, deviations)).value) });
}

export function bringing(...headers: readonly HeaderRow[]): Play {
  return (world, path) => send(world, path, undefined, { headers });
}

export function editing(edit: (message: CredentialMessage) => void): Play {
  return paying({ tamper: edit });
}

export function paid(because: string): Otherwise {
  return { because, check: (answer) => assert.equal(answer.status, 200, answer.text.slice(0, 300)) };
}

/** Refused with one of these problems. */
export function refused(because: string, ...problems: readonly string[]): Otherwise {
  return {
    because,
    check: (answer) => {
      const found = problems.find((suffix) => jsonOf(answer)['type'] === `${PROBLEMS}${suffix}`);
      expectMppRefused(answer, found ?? problems.join(' or '));
    },
  };
}

export function problem(status: number, code: string, because: string): Otherwise {
  return {
    because,
    check: (answer) => assert.deepEqual([answer.status, jsonOf(answer)['code']], [status, code], answer.text.slice(0, 300)),
  };
}

/** As the package answered: paid, or the same problem with the same status, and a challenge with every 402. */
export function judge(answer: Answer, { status, body }: Recorded): void {
  assert.equal(answer.status, status, answer.text.slice(0, 300));
  if (typeof body === 'string') {
    assert.ok(answer.headers['payment-receipt'], 'a receipt');
    return;
  }
  const suffix = String(body.type).slice(PROBLEMS.length);
  if (suffix !== 'payment-required') return void expectMppRefused(answer, suffix);
  assert.deepEqual([jsonOf(answer)['code'], jsonOf(answer)['type']], ['payment_required', body.type]);
  challengeIn(answer);
}

export function vectors<T>(name: string): readonly T[] {
  return (JSON.parse(readFileSync(new URL(`../../vectors/mpp/${name}.json`, import.meta.url), 'utf8')) as { vectors: readonly T[] })
    .vectors;
}
