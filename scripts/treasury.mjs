// Runs the built treasury in workerd, as scripts/miniflare.mjs runs the gate, with a clock that can be set ahead.

import { randomBytes } from 'node:crypto';

import { startWorker } from './miniflare.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startTreasury>>} Treasury
 */

/**
 * Starts the treasury. `ahead(secs)` sets its clock further ahead, alarms included; a restart keeps that.
 *
 * @param {import('./miniflare.mjs').WorkerOptions} [options]
 */
export async function startTreasury(options) {
  let aheadMs = 0;
  const worker = await startWorker({
    name: 'farebox-treasury',
    build: 'build/treasury',
    objects: { TREASURY: 'Treasury' },
    secrets: () => ({ TREASURY_SECRET: randomBytes(32).toString('hex'), OPERATOR_TOKEN: randomBytes(16).toString('hex') }),
    front: () => FRONT.replace('AHEAD_MS', String(aheadMs)),
  }, options);
  return {
    ...worker,
    get pid() { return worker.pid; },
    async ahead(/** @type {number} */ secs) {
      aheadMs += secs * 1000;
      await fetch(`${worker.url}/__front/ahead?ms=${secs * 1000}`, { method: 'POST' });
    },
  };
}

/** Wraps the Worker's module: moves `Date.now`, and with it the alarms of objects, which the platform rings by its own clock. */
const FRONT = `
import treasury, { Treasury as Inner } from './index.js';
export * from './index.js';
const clock = Date.now;
let ahead = AHEAD_MS;
Date.now = () => clock.call(Date) + ahead;
const ids = new Set();
export class Treasury extends Inner {
  constructor(state, env) {
    const { storage } = state;
    const [set, get] = [storage.setAlarm.bind(storage), storage.getAlarm.bind(storage)];
    storage.setAlarm = (at, ...more) => set(Math.max(Number(at) - ahead, 1), ...more);
    storage.getAlarm = async (...words) => {
      const at = await get(...words);
      return at === null ? null : at + ahead;
    };
    super(state, env);
    this.frontAlarm = { set, get };
    ids.add(state.id.toString());
  }
  async frontMoved(ms) {
    const at = await this.frontAlarm.get();
    if (at !== null) await this.frontAlarm.set(Math.max(at - ms, clock.call(Date)));
  }
}
export default {
  ...treasury,
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname !== '/__front/ahead') return treasury.fetch(request, env, context);
    const ms = Number(url.searchParams.get('ms'));
    ahead += ms;
    for (const id of ids) await env.TREASURY.get(env.TREASURY.idFromString(id)).frontMoved(ms);
    return new Response(null, { status: 204 });
  },
};
`;
