// The state of a payment by link as events, for clients that would otherwise ask again and again. What a state is, and whether it is
// final, the compiled part says.

/** Milliseconds between two looks. */
const LOOK_MS = 2_000;
/** Looks of one answer: a client that stays connects again. */
const LOOKS = 30;

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
  let [told, looks] = ['', 0];
  /** @type {Response | undefined} */
  let next = first;
  const body = new ReadableStream({
    async pull(controller) {
      for (;;) {
        if (next === undefined) {
          await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
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
        if (isOver) return controller.close();
        if (isNews) return;
      }
    },
  });
  return new Response(body, { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } });
}
