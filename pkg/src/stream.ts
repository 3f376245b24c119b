/** Answers that flow and are paid as they do: the body of the answer, with vouchers sent beside it. */
import type { SessionStream } from '#channels-wasm';

/** A stream's wish: the next voucher, in atomic units, or the amount that is due where the server says nothing. */
export type Raise = { readonly channel: string; readonly required: string | null; readonly ahead: string };

/** The payment of a stream. */
export type StreamPayment = {
  /** Signs and sends the next voucher. */
  raise(raise: Raise): Promise<void>;
  /** Notes what was received, once it has ended or was cut off. */
  ended(isCut: boolean): Promise<void>;
};

/** Milliseconds without a byte after which a body that says nothing may wait for a voucher. */
const STALL_MS = 250;

/** The same answer, whose body goes on with each voucher. */
export function flowing(response: Response, stream: SessionStream, payment: StreamPayment): Response {
  const reader = response.body?.getReader();
  if (reader === undefined) return response;
  let next: ReturnType<typeof reader.read> | undefined;
  let isOver = false;
  const over = async (isCut: boolean): Promise<void> => {
    if (isOver) return;
    isOver = true;
    await payment.ended(isCut);
  };
  const failed = async (error: unknown): Promise<never> => {
    await reader.cancel(error).catch(() => undefined);
    await over(true);
    throw error;
  };
  /** Whether a stall was answered, and nothing has come since. */
  let hasStalled = false;
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    for (;;) {
      next ??= reader.read();
      const read = stream.hasEvents() || hasStalled ? await next.catch(failed) : await Promise.race([next.catch(failed), stalled()]);
      if (read === undefined) {
        hasStalled = true;
        await payment.raise(JSON.parse(stream.stalls()) as Raise).catch(failed);
        continue;
      }
      next = undefined;
      hasStalled = false;
      if (read.done) {
        const rest = stream.rest();
        await over(false);
        if (rest.length > 0) controller.enqueue(rest);
        controller.close();
        return;
      }
      const passed = stream.take(read.value);
      if (passed.length > 0) controller.enqueue(passed);
      const asked = stream.asks();
      if (asked !== undefined) await payment.raise(JSON.parse(asked) as Raise).catch(failed);
      if (passed.length > 0) return;
    }
  };
  const body = new ReadableStream<Uint8Array>(
    {
      pull,
      cancel: async (reason) => {
        await reader.cancel(reason).catch(() => undefined);
        await over(true);
      },
    },
    { highWaterMark: 0 },
  );
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

function stalled(): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, STALL_MS);
  });
}

/** The parts of a body as they come; ending the loop ends the stream. */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
