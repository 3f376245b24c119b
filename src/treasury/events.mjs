// The state of a payment by link as events, for clients that would otherwise ask again and again. What a state is, and whether it is
// final, the compiled part says.

/** Milliseconds between two looks. */
const LOOK_MS = 2_000;
/** Looks of one answer: a client that stays connects again. */
const LOOKS = 30;
/** Most answers of this process that look again. Each one beyond tells the state and ends, and its client connects again. */
const MOST = 256;
/**
 * Those answers: until when each looks at the latest, unix milliseconds.
 *
 * @type {Set<{until: number}>}
 */
const open = new Set();

/**
 * The answer to a request; one that says whether it is final becomes a stream of its changes, if the client asks for events.
 *
 * @param {Request} request
 * @param {() => Promise<Response>} ask
 * @returns {Promise<Response>}
 */
export async function followed(request, ask) {
  const first = await ask();
  if (!first.headers.has('farebox-final') || !request.headers.get('accept')?.includes('text/event-stream')) return first;
  const encoder = new TextEncoder();
  const own = { until: Date.now() + LOOKS * LOOK_MS };
  for (const one of open) if (one.until < Date.now()) open.delete(one);
  let [told, looks, hasLeft] = ['', open.size < MOST ? 0 : LOOKS, false];
  if (looks === 0) open.add(own);
  /** @type {Response | undefined} */
  let next = first;
  const body = new ReadableStream({
    async pull(controller) {
      for (;;) {
        if (next === undefined) {
          await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
          if (hasLeft) return;
          next = await ask();
        }
        const [state, text] = [next.headers.get('farebox-final'), await next.text()];
        looks += 1;
        next = undefined;
        const isOver = state !== 'false' || looks >= LOOKS;
        // An answer that is no state, such as that of an object which is down, is not told.
        const isNews = state !== null && text !== told;
        if (isNews) {
          told = text;
          controller.enqueue(encoder.encode(`event: status\nretry: 3000\ndata: ${text}\n\n`));
        }
        if (isOver) {
          open.delete(own);
          return controller.close();
        }
        if (isNews) return;
      }
    },
    cancel() {
      hasLeft = true;
      open.delete(own);
    },
  });
  return new Response(body, { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } });
}
