// What is sold, and what each request costs. Both read the URL by the same function, so nobody gets more than what was priced.
import { WorkerEntrypoint } from 'cloudflare:workers';

/** Atomic units of USDC: a cent a day. Money is a BigInt, never a number. */
const A_DAY = 10_000n;

/** How many days a request is for: 1 to 30, and 1 if it does not say. Undefined for anything else. */
function daysOf(url) {
  const days = new URL(url).searchParams.get('days') ?? '1';
  return /^(?:[1-9]|[12]\d|30)$/.test(days) ? days : undefined;
}

/** The prices: wrangler.toml of the gate binds this as PRICER, and nobody else reaches it. */
export class Pricer extends WorkerEntrypoint {
  async fetch(request) {
    const { url } = await request.json();
    const days = daysOf(url);
    // What is refused below costs nothing.
    const price = days === undefined ? 'free' : { amount: String(BigInt(days) * A_DAY) };
    return Response.json({ price, description: `Rainfall of ${days ?? 'no'} days` });
  }
}

/** The shop: it knows nothing of payments. */
export default {
  fetch(request) {
    if (new URL(request.url).pathname === '/') return new Response('Rainfall is at /rainfall?days=3, a cent a day.\n');
    const days = daysOf(request.url);
    if (days === undefined) return new Response('days is a number from 1 to 30\n', { status: 400 });
    return Response.json({ millimetres: Array.from({ length: Number(days) }, (_, day) => (day * 7) % 11) });
  },
};
