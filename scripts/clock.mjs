// A module in front of a built Worker, for worlds: sets its clock ahead, wakes its trigger, and has the gate read its route table at once.

import { clockAhead } from '../demo/beginning.mjs';
import { startWorker } from './miniflare.mjs';

/**
 * The source of the module. `__front/ahead?ms=`, `__front/scheduled`, `__front/reread` and `__front/stored` are its paths, by `POST`.
 *
 * @param {Record<string, string>} objects class of the objects by the name of their binding
 * @param {number} aheadMs how far ahead its clock is from the start
 */
export function clockFront(objects, aheadMs) {
  const classes = Object.entries(objects).map(([binding, name]) => CLASS.replaceAll('BINDING', binding).replaceAll('NAME', name));
  return FRONT.replace('AHEAD_MS', String(aheadMs)).replace('CLASSES', classes.join(''));
}

/**
 * A Worker with that module in front: `ahead(secs)` sets its clock further ahead, alarms included, and a restart keeps that.
 *
 * @param {import('./miniflare.mjs').Kind} kind
 * @param {import('./miniflare.mjs').WorkerOptions} [options]
 * @param {number} [aheadMs] how far ahead its clock is from the start
 */
export async function startWithClock(kind, options, aheadMs = clockAhead()) {
  const worker = await startWorker({ ...kind, front: () => clockFront(kind.objects, aheadMs) }, options);
  const front = async (/** @type {string} */ path) => {
    const answer = await fetch(`${worker.url}/__front/${path}`, { method: 'POST' });
    if (!answer.ok) throw new Error(`${kind.name} answers ${answer.status} to ${path}`);
    return answer;
  };
  return {
    ...worker,
    get pid() {
      return worker.pid;
    },
    get mf() {
      return worker.mf;
    },
    async ahead(/** @type {number} */ secs) {
      aheadMs += secs * 1000;
      await front(`ahead?ms=${secs * 1000}`);
    },
    /** Does what the trigger of `wrangler.toml` does. */
    sweep: async () => {
      await front('scheduled');
    },
    /** Has a gate read its stored route table, which it else does once a minute. */
    reread: async () => {
      await front('reread');
    },
    /** How many objects were made since its start, and the bytes of their databases. */
    stored: async () => /** @type {{objects: number, bytes: number}} */ (await (await front('stored')).json()),
  };
}

/** Moves `Date.now`, and with it the alarms of objects, which the platform rings by its own clock. */
const FRONT = `
import * as inner from './index.js';
export * from './index.js';
const worker = inner.default;
const clock = Date.now;
let ahead = AHEAD_MS;
let glance = 0;
let glances = 0;
Date.now = () => clock.call(Date) + ahead + glance;
const ids = {};
CLASSES
export default {
  ...worker,
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (!url.pathname.startsWith('/__front/')) return worker.fetch(request, env, context);
    switch (url.pathname.slice('/__front/'.length)) {
      case 'ahead': {
        const ms = Number(url.searchParams.get('ms'));
        ahead += ms;
        for (const [binding, all] of Object.entries(ids)) for (const id of all) await env[binding].get(env[binding].idFromString(id)).frontMoved(ms);
        break;
      }
      case 'scheduled':
        await worker.scheduled({}, env, context);
        break;
      case 'stored': {
        const all = Object.entries(ids).flatMap(([binding, some]) => [...some].map((id) => env[binding].get(env[binding].idFromString(id)).frontBytes()));
        return Response.json({ objects: all.length, bytes: (await Promise.all(all)).reduce((sum, bytes) => sum + bytes, 0) });
      }
      case 'reread': {
        // The clock is ahead while the gate begins, and for nothing else: what follows is in another turn.
        const kept = [];
        glances += 1;
        glance = glances * 61_000;
        let answer;
        try {
          answer = worker.fetch(new Request(url.origin + '/_farebox/health'), env, { waitUntil: (kind) => void kept.push(kind), passThroughOnException() {} });
        } finally {
          glance = 0;
        }
        await (await answer).arrayBuffer();
        await Promise.all(kept);
        break;
      }
    }
    return new Response(null, { status: 204 });
  },
};
`;

const CLASS = `
ids.BINDING = new Set();
export class NAME extends inner.NAME {
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
    ids.BINDING.add(state.id.toString());
    this.frontSql = storage.sql;
  }
  frontBytes() {
    return this.frontSql.databaseSize;
  }
  async frontMoved(ms) {
    const at = await this.frontAlarm.get();
    if (at !== null) await this.frontAlarm.set(Math.max(at - ms, clock.call(Date)));
  }
}
`;
