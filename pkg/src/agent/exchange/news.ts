/** News of a feed: they end a wait early, and nothing that they say is relied on. */
import { pause } from './call.js';

/** Milliseconds before a feed that ended is opened again, doubled each time that it says nothing. */
const AGAIN_MS = 1_000;
const MOST_MS = 60_000;
/** Least milliseconds between two waits, whatever the feed has to say. */
const LEAST_MS = 250;

/** An event stream that is kept open in the background. */
export class News {
  readonly #ends = new AbortController();
  #wakes = new AbortController();
  #isLive = false;
  /** When the last wait ended, unix milliseconds. */
  #woke = 0;

  /** `headers` is asked before each time that the feed is opened. */
  constructor(fetch: typeof globalThis.fetch, url: string, headers: () => Readonly<Record<string, string>>) {
    this.#listens(fetch, url, headers).catch(() => undefined);
  }

  /** Waits for news: as long as `deafMs` where none can come, otherwise `liveMs`. */
  async wait(deafMs: number, liveMs: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const wakes = this.#wakes;
    await pause(Math.min(deafMs, this.#woke + LEAST_MS - Date.now()), ...signals);
    await pause(this.#isLive ? liveMs : deafMs, wakes.signal, ...signals);
    // What comes from here on ends the next wait.
    if (wakes.signal.aborted && this.#wakes === wakes) this.#wakes = new AbortController();
    this.#woke = Date.now();
  }

  end(): void {
    this.#ends.abort();
  }

  async #listens(fetch: typeof globalThis.fetch, url: string, headers: () => Readonly<Record<string, string>>): Promise<void> {
    const { signal } = this.#ends;
    for (let gap = AGAIN_MS; !signal.aborted; gap = Math.min(2 * gap, MOST_MS)) {
      try {
        const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers() }, redirect: 'manual', signal });
        const isFeed = response.status === 200 && /text\/event-stream/.test(response.headers.get('content-type') ?? '');
        if (!isFeed) {
          await response.body?.cancel();
          // There is none: asking from time to time is enough.
          if ([404, 405, 501].includes(response.status)) return;
        }
        const reader = isFeed ? response.body?.getReader() : undefined;
        const text = new TextDecoder();
        while (reader !== undefined) {
          const { done, value } = await reader.read();
          if (done) break;
          if (!this.#isLive) this.#wakes.abort();
          this.#isLive = true;
          if (!/(^|\n)data:/.test(text.decode(value, { stream: true }))) continue;
          gap = AGAIN_MS;
          this.#wakes.abort();
        }
      } catch {
        // A feed that breaks off is opened again.
      }
      this.#isLive = false;
      await pause(gap, signal);
    }
  }
}
