// Reads feeds of the exchange as a program does: server-sent events by fetch, so that a token goes into a header. It comes back with
// the number of the last event that it has.

const AGAIN_MS = 100;

/**
 * @typedef {{cursor: string, networkProfile: string, id: string, jobId: string | null, sellerId: string | null, type: string, title: string, message: string, timestamp: string, tone: string}} FeedLine
 */

/**
 * Follows a feed until `stop()`. `lines` are all that came, each with the millisecond of its arrival; `ready` resolves when it is open.
 *
 * @param {string} url
 * @param {{headers?: Record<string, string>, cursor?: string}} [given]
 */
export function followFeed(url, { headers = {}, cursor = '' } = {}) {
  /** @type {{line: FeedLine, at: number}[]} */
  const lines = [];
  const controller = new AbortController();
  const state = { cursor, opened: 0, statuses: /** @type {number[]} */ ([]) };
  /** @type {() => void} */
  let open = () => undefined;
  const ready = new Promise((/** @type {(value: void) => void} */ resolve) => {
    open = resolve;
  });
  const ended = (async () => {
    while (!controller.signal.aborted) {
      try {
        /** @type {Record<string, string>} */
        const resumed = state.cursor === '' ? {} : { 'last-event-id': state.cursor };
        const response = await fetch(url, { headers: { accept: 'text/event-stream', ...resumed, ...headers }, signal: controller.signal });
        state.statuses.push(response.status);
        if (response.status !== 200 || response.body === null) {
          await response.text();
          if (response.status < 500) return;
        } else {
          for await (const { id, event, data } of eventsOf(response.body)) {
            if (event === 'ready') {
              state.opened += 1;
              open();
            } else if (data !== '') lines.push({ line: JSON.parse(data), at: performance.now() });
            if (id !== '') state.cursor = id;
          }
        }
      } catch {
        // It comes back below.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  })();
  return {
    lines,
    state,
    ready,
    async stop() {
      controller.abort();
      await ended;
    },
  };
}

/**
 * Events of a stream. Spec: HTML, "Server-sent events".
 *
 * @param {ReadableStream<Uint8Array>} body
 */
async function* eventsOf(body) {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const field = (/** @type {string} */ name) =>
        part
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2) ?? '';
      yield { id: field('id'), event: field('event'), data: field('data') };
    }
  }
}

/**
 * The number in the middle; NaN of none.
 *
 * @param {number[]} numbers
 */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/**
 * Measures milliseconds from a call to its event at a reader of the public feed: wrap calls in `timed`, and ask for `median()` at the
 * end. For benches.
 *
 * @param {{url: string}} world
 * @param {string} profile
 */
export async function feedLatency(world, profile) {
  const feed = followFeed(`${world.url}/api/v1/feed?network_profile=${profile}`, { headers: { 'cf-connecting-ip': '10.250.0.1' } });
  await feed.ready;
  /** @type {Map<string, number>} */
  const sent = new Map();
  return {
    feed,
    /**
     * Notes when the call that makes this event of this job is sent.
     *
     * @template T
     * @param {string} type `RUNNING`, `DONE` or another that names a job
     * @param {string} job
     * @param {() => Promise<T>} call
     */
    timed(type, job, call) {
      sent.set(`${type} ${job}`, performance.now());
      return call();
    },
    /** Latencies of the events that came, in milliseconds. */
    all: () =>
      feed.lines.flatMap(({ line, at }) => {
        const began = sent.get(`${line.type} ${line.jobId}`);
        return began === undefined ? [] : [at - began];
      }),
    median() {
      return median(this.all());
    },
    stop: () => feed.stop(),
  };
}
