/** A stream by the event: what the gate lets through as one event, its payer counts as one, however its origin cuts it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

Object.assign(globalThis, { IdentityTransformStream: TransformStream });
/** As much of the Worker's own module as is asked here: its types are workerd's. */
interface Flow {
  readonly readable: ReadableStream<Uint8Array>;
  grant(steps: number): void;
  flow(): Promise<string>;
  cut(): void;
}
const module = new URL('../../src/worker/flow.mjs', import.meta.url).href;
const { openFlow } = (await import(module)) as { openFlow(answer: Response, ...rest: readonly unknown[]): Flow };

/** As the payer's own, `MAX_EVENT_BYTES`. */
const LONGEST = 1_048_576;

/** An event of this length, its empty line included. */
const eventOf = (bytes: number): Uint8Array => new TextEncoder().encode(`data: ${'x'.repeat(bytes - 8)}\n\n`);

/** How a body of these bytes ends, cut into such pieces, and how much of it leaves. */
async function flowing(bytes: Uint8Array, piece: number): Promise<[string, number]> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) => bytes.slice(at * piece, (at + 1) * piece));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const flow = openFlow(new Response(body), 'event', true, 5_000, 5_000, undefined, LONGEST);
  flow.grant(10);
  let left = 0;
  const reads = (async () => {
    for await (const part of flow.readable) left += part.length;
  })().catch(() => {});
  const how = await flow.flow();
  flow.cut();
  await reads;
  return [how, left];
}

describe('an event that is as long as a payer counts, or longer', () => {
  for (const piece of [65_536, LONGEST, 2 * LONGEST + 100]) {
    it(`passes whole up to its bound and ends the stream above it, in pieces of ${piece}`, async () => {
      assert.deepEqual(await flowing(eventOf(LONGEST), piece), ['complete', LONGEST]);
      const [how, left] = await flowing(eventOf(LONGEST + 1), piece);
      assert.deepEqual([how, left], ['broken', 0]);
    });
  }
});
