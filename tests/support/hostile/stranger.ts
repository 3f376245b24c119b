/** Somebody without any proof, from many networks and as many programs, who asks each route of the Workers again and again. */
import assert from 'node:assert/strict';

import { type Random, randomOf } from '../../pkg/random.ts';
import { plain, type Sent, type Shape } from './mutate.ts';
import { broken, type Target } from './play.ts';
import { documentedRoutes, pathOf, type Route, type Worker } from './routes.ts';
import { send, shown } from './send.ts';

export type Attacked = {
  readonly worker: Worker;
  readonly url: string;
  /** Requests as good as a stranger can make them. Of routes without one a plain request is sent. */
  readonly shapes: readonly ((random: Random) => Shape)[];
  /** Names that are known to everybody, for paths. */
  readonly names: readonly string[];
  readonly secrets: Target['secrets'];
  /** Whether another Worker stands between, which has answers of its own. */
  readonly isThrough?: boolean;
  /** Routes for which they have a proof of their own. */
  readonly own?: readonly string[];
};

const NETWORKS = 40;
const PROGRAMS = ['curl/8.5.0', 'node', 'python-requests/2.32', 'Mozilla/5.0 (X11; Linux x86_64)', 'x402-fetch/1.0', ''];
/** Strangers who ask at once, none of whom pauses. */
export const LANES = 8;

/** The requests of one round against some Workers: each route of each of them is among them. */
export function requestsTo(all: readonly Attacked[]): readonly { readonly of: Attacked; readonly shape: (random: Random) => Shape }[] {
  return all.flatMap((of) => {
    const routes = documentedRoutes(of.worker);
    const sample = of.shapes.map((shape) => shape(randomOf(1)));
    const isAsked = (route: Route): boolean =>
      sample.some(({ method, path }) => method === route.method && pathOf(routes, path) === route.path);
    const rest = routes
      .filter((route) => !isAsked(route))
      .map(
        ({ method, path }) =>
          (random: Random): Shape => ({
            method,
            path: path.replaceAll('{}', () => encodeURIComponent(random.pick(of.names))),
            ...(method === 'GET' || method === 'HEAD' ? {} : { body: {} }),
          }),
      );
    return [...of.shapes, ...rest].map((shape) => ({ of, shape }));
  });
}

/** Asks until so many were asked and `until` is over; the answers that nobody may get are failures. */
export async function attack(
  seed: number,
  all: readonly Attacked[],
  requests: number,
  until: Promise<unknown> = Promise.resolve(),
): Promise<{ readonly asked: number; readonly statuses: string }> {
  const routes = requestsTo(all);
  const [wrong, statuses]: [string[], Map<string, number>] = [[], new Map()];
  let [isOver, turn] = [false, 0];
  const over = until.finally(() => {
    isOver = true;
  });
  await Promise.all([
    over.catch(() => undefined),
    ...Array.from({ length: LANES }, async () => {
      while (turn < requests || !isOver) {
        const random = randomOf(seed * 1_000_003 + turn);
        const { of, shape } = routes[turn % routes.length] ?? assert.fail('there are no routes');
        turn += 1;
        const made = plain(shape(random));
        const headers = { 'cf-connecting-ip': `100.64.0.${random.below(NETWORKS)}`, 'user-agent': random.pick(PROGRAMS), ...made.headers };
        const sent = { ...made, headers };
        const reply = await send(of.url, sent);
        const name = `${of.worker} ${Math.floor(reply.status / 100)}xx`;
        statuses.set(name, (statuses.get(name) ?? 0) + 1);
        const why = broken(of, sent, reply) ?? unsaid(of, sent, reply.status);
        if (why !== undefined) wrong.push(`${why}\n  ${shown(sent)}\n  answer: ${reply.status} ${reply.text.slice(0, 300)}`);
      }
    }),
  ]);
  await over;
  assert.equal(wrong.length, 0, `${wrong.length} of ${turn}:\n${wrong.slice(0, 8).join('\n')}`);
  return {
    asked: turn,
    statuses: [...statuses]
      .sort()
      .map(([name, count]) => `${name}: ${count}`)
      .join(', '),
  };
}

/** Why a stranger may not get this status of a route that needs a proof; undefined if docs/limits.md names it in the last cell, or it is 400. */
function unsaid({ worker, isThrough = false, own = [] }: Attacked, { method, path }: Sent, status: number): string | undefined {
  const routes = documentedRoutes(worker);
  const route = routes.find((it) => it.method === method && it.path === pathOf(routes, path));
  if (route === undefined || isThrough || route.proof === 'none' || status === 400 || route.without.includes(status)) return undefined;
  if (status < 300 && own.includes(`${method} ${route.path}`)) return undefined;
  return `a ${status}, where docs/limits.md says ${route.without.join(', ')}`;
}

/** How long `work` takes, milliseconds: the middle of three. */
export async function middleOf(work: (turn: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const began = performance.now();
    await work(turn);
    times.push(performance.now() - began);
  }
  return times.sort((one, other) => one - other)[1] ?? 0;
}
