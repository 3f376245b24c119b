/** What requests of strangers cost a Worker: the processor's time, which tells more than a clock on a busy machine. */
import { readdirSync, readFileSync } from 'node:fs';

import { randomOf } from '../../pkg/random.ts';
import { type Json, plain, type Sent, type Shape } from './mutate.ts';
import { documentedRoutes, pathOf } from './routes.ts';
import { send } from './send.ts';
import { type Attacked, requestsTo } from './stranger.ts';

/** As docs/limits.md says: whoever asks without a pause slows others by no more than as many looks would. */
const FACTOR = 10;
/** How many times as much what takes turns may cost. */
const IN_TURNS = 5;
/** What is too little to be told from what else a process does, as a multiple of `yardstick`. */
const LEAST = 1.25;
/** Most for a request as it is, as a multiple of `yardstick`: some check a signature, in several Workers. */
const PLAIN = 4;
/** Each is sent so often, and its least cost counts: memory is tidied up in between. */
const TIMES = 3;
/** Around the bounds of bodies that are documented, bytes. */
const LENGTHS = [16_000, 64_000, 250_000, 1_000_000];
/** What a query may name. */
const PARAMETERS = ['q', 'name', 'agentId', 'cursor', 'limit', 'page', 'mode', 'network_profile'];
const VALUES = ['%22'.repeat(500), '4294967295'];

/** Milliseconds for which the threads of these processes have worked. */
export function worked(pids: readonly number[]): number {
  let nanoseconds = 0n;
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += BigInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0] ?? '0');
  return Number(nanoseconds / 1_000n) / 1_000;
}

/** Milliseconds that this process needs to read and write 240 kB of JSON: bounds are multiples of it, because machines differ. */
function yardstick(): number {
  const text = JSON.stringify(namesOf(20_000));
  const once = (): number => {
    const began = process.cpuUsage();
    JSON.stringify(JSON.parse(text));
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1_000;
  };
  return Math.min(...Array.from({ length: 20 }, once));
}

/** So many names of seven letters. */
function namesOf(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [index.toString(36).padStart(7, 'n'), 0]));
}

/** The same request as long as may be: text to be written anew, many values, and many names. */
function* longer({ method, path, headers = {}, body }: Shape): Generator<{ readonly what: string; readonly shape: Shape }> {
  for (const name of PARAMETERS)
    for (const [index, value] of VALUES.entries())
      if (method === 'GET')
        yield { what: `${name} #${index}`, shape: { method, path: `${path}${path.includes('?') ? '&' : '?'}${name}=${value}`, headers } };
  if (method === 'GET' || method === 'HEAD') return;
  const known = typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {};
  for (const length of LENGTHS) {
    const room = length - JSON.stringify(known).length - 64;
    const [texts, values, names]: [Json, Json, Json] = [
      '"'.repeat(room / 2),
      Array.from({ length: room / 2 }, () => 0),
      namesOf(room / 12),
    ];
    for (const [what, more] of Object.entries({ texts, values, names }))
      yield { what: `${what} of ${length}`, shape: { method, path, headers, body: { ...known, more } } };
  }
}

/**
 * The requests of strangers that cost these processes more than so many looks do, with what they cost. Those that take turns may cost a multiple of
 * that: they have a fifth of the time.
 */
export async function costly(attacked: readonly Attacked[], pids: readonly number[]): Promise<readonly string[]> {
  let count = 0;
  const costOf = async (base: string, { headers, ...sent }: Sent): Promise<{ ms: number; status: number }> => {
    let [least, status] = [Number.POSITIVE_INFINITY, 0];
    for (let turn = 0; turn < TIMES; turn += 1) {
      count += 1;
      const network = `100.${64 + (count >> 16)}.${(count >> 8) & 255}.${count & 255}`;
      const began = worked(pids);
      ({ status } = await send(base, { ...sent, headers: { ...headers, 'cf-connecting-ip': network } }));
      least = Math.min(least, worked(pids) - began);
    }
    return { ms: least, status };
  };
  const [found, asked]: [string[], Set<string>] = [[], new Set()];
  const unitMs = yardstick();
  for (const { of, shape } of requestsTo(attacked)) {
    const made = shape(randomOf(1));
    const routes = documentedRoutes(of.worker);
    const path = pathOf(routes, made.path) ?? made.path;
    const route = `${of.worker} ${made.method} ${path}`;
    if (asked.has(route)) continue;
    asked.add(route);
    const isInTurns = routes.some((it) => it.isInTurns && it.path === path && it.method === made.method);
    const short = await costOf(of.url, plain(made));
    const most = Math.max(LEAST * unitMs, FACTOR * short.ms) * (isInTurns ? IN_TURNS : 1);
    if (short.ms > PLAIN * unitMs * (isInTurns ? IN_TURNS : 1)) found.push(`${route}: ${short.status}, ${short.ms.toFixed(1)} ms`);
    for (const { what, shape: long } of longer(made)) {
      const { ms, status } = await costOf(of.url, plain(long));
      if (ms > most) found.push(`${route}, ${what}: ${status}, ${ms.toFixed(1)} ms, ${short.ms.toFixed(1)} ms without`);
    }
  }
  return found;
}
