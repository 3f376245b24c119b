/** Plays thousands of requests that are almost right against a built Worker, and says which answers nobody may get. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { type Random, randomOf } from '../../pkg/random.ts';
import { isDocumented } from './documented.ts';
import { mutated, type Names, plain, type Sent, type Shape } from './mutate.ts';
import { DEADLINE_MS, type Reply, send, shown } from './send.ts';

export const REQUESTS = Number(process.env['FAREBOX_REQUESTS'] ?? 2_500);
export const SEED = Number(process.env['FAREBOX_SEED'] ?? 1);
/** A busy machine takes several times as long. */
export const LIMIT = { timeout: 120_000 + REQUESTS * 100 };
/** Bytes that so many requests may leave: a few hundred of each that writes something. */
export const MOST_BYTES = 512 * 1024 * Math.max(1, REQUESTS / 2_500);
/** Requests that are open at once. */
const LANES = 24;
/** One of so many is sent as it is: what others made of it has to be there. */
const UNCHANGED = 12;
const MOST_SHOWN = 8;

export type Target = {
  /** As in `docs/limits.md`. */
  readonly worker: 'gate' | 'treasury' | 'market' | 'exchange';
  /** Where requests go. */
  readonly urls: readonly string[];
  /** Valid requests, made anew for each turn. */
  readonly shapes: readonly ((random: Random) => Shape)[];
  readonly names: Names;
  /** Texts that no answer may have, by what they are. */
  readonly secrets: ReadonlyMap<string, string>;
  /** What everybody can read in the end. */
  readonly pages: readonly string[];
  /** Objects and bytes that are stored. */
  readonly stored: () => Promise<{ readonly objects: number; readonly bytes: number }>;
  /** How many of each the requests may leave. */
  readonly most: { readonly objects: number; readonly bytes: number };
  /** Buys once, and says so by an exception if it cannot. */
  readonly honest: (when: 'before' | 'after') => Promise<void>;
};

/** Plays, and fails with the requests that broke a rule. */
export async function play(t: TestContext, target: Target): Promise<void> {
  await target.honest('before');
  const before = await target.stored();
  const began = performance.now();
  const wrong: string[] = [];
  const statuses = new Map<number, number>();
  let slowest = { ms: 0, path: '' };
  let turn = 0;
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (turn < REQUESTS) {
        const now = turn;
        turn += 1;
        const random = randomOf(SEED * 1_000_003 + now);
        const shape = random.pick(target.shapes)(random);
        const sent = addressed(random.below(UNCHANGED) === 0 ? plain(shape) : mutated(random, shape, target.names), random);
        const reply = await send(random.pick(target.urls), sent);
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
        if (reply.ms > slowest.ms) slowest = { ms: reply.ms, path: `${sent.method} ${sent.path.slice(0, 80)}` };
        const why = broken(target, sent, reply);
        if (why !== undefined)
          wrong.push(`seed ${SEED}, request ${now}: ${why}\n  ${shown(sent)}\n  answer: ${reply.status} ${reply.text.slice(0, 300)}`);
      }
    }),
  );
  const tookMs = performance.now() - began;
  const after = await target.stored();
  const left = { objects: after.objects - before.objects, bytes: after.bytes - before.bytes };
  const counts = [...statuses]
    .sort(([one], [other]) => one - other)
    .map(([status, count]) => `${status}: ${count}`)
    .join(', ');
  t.diagnostic(
    `ends: ${target.worker}, seed ${SEED}, ${REQUESTS} requests in ${(tookMs / 1000).toFixed(1)} s: ${counts}; slowest ${slowest.ms.toFixed(0)} ms, ${slowest.path}; left ${left.objects} objects, ${left.bytes} bytes`,
  );
  assert.equal(wrong.length, 0, `${wrong.length} of ${REQUESTS}:\n${wrong.slice(0, MOST_SHOWN).join('\n')}`);
  assert.ok(
    left.bytes <= target.most.bytes && left.objects <= target.most.objects,
    `seed ${SEED}: they left ${JSON.stringify(left)}, and may leave ${JSON.stringify(target.most)}`,
  );
  for (const page of target.pages) {
    const { status, text } = await send(page, plain({ method: 'GET', path: page.slice(new URL(page).origin.length) }));
    assert.equal(status, 200, page);
    for (const secret of [...target.names.tokens, ...target.secrets.values()])
      assert.ok(!text.includes(secret), `seed ${SEED}: ${page} shows a token that was sent`);
  }
  await target.honest('after');
}

/** From a client network of its own, unless it is from another one on purpose. */
function addressed(sent: Sent, random: Random): Sent {
  const address = `10.${random.below(256)}.${random.below(256)}.${random.below(256)}`;
  return { ...sent, headers: { 'cf-connecting-ip': address, ...sent.headers } };
}

/** Why nobody may get this answer; undefined if it is in order. */
export function broken(
  { worker, secrets }: Pick<Target, 'worker' | 'secrets'>,
  sent: Sent,
  { end, status, headers, text }: Reply,
): string | undefined {
  if (end === 'late') return `no answer within ${DEADLINE_MS} ms`;
  // Whoever breaks off need not be answered.
  if (end === 'none' || end === 'broken') return sent.cutAt === undefined ? `the answer is ${end}` : undefined;
  if (status >= 500 && !isDocumented(worker, status, text)) return `a ${status} that docs/limits.md does not name`;
  const said = `${JSON.stringify(headers)}\n${text}`;
  for (const [what, secret] of secrets) if (said.includes(secret)) return `the answer has ${what}`;
  const bearer = /^(?:bearer|payment)\s+(\S{16,})/i.exec(String(sent.headers['authorization'] ?? ''))?.[1];
  if (bearer !== undefined && said.includes(bearer)) return 'the answer has the token that was sent';
  return undefined;
}
