/** Waiting for what comes by itself. */
import assert from 'node:assert/strict';

const POLL_MS = 50;

/**
 * Asks again and again until what is found holds, and returns it; a question that fails is asked again. Without `holds`, anything holds but undefined
 * and false.
 */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  holds: (found: Exclude<T, undefined | false>) => boolean = () => true,
  secs = 60,
): Promise<Exclude<T, undefined | false>> {
  let last: unknown;
  for (const end = performance.now() + secs * 1000; performance.now() < end; ) {
    try {
      const found = await ask();
      last = found;
      if (found !== undefined && found !== false && holds(found as Exclude<T, undefined | false>))
        return found as Exclude<T, undefined | false>;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
  return assert.fail(
    `not in time: ${what}: ${last instanceof Error ? last.message : JSON.stringify(last, (_, it) => (typeof it === 'bigint' ? String(it) : it))}`,
  );
}
