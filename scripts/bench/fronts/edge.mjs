// Stands where a platform's edge does: compresses what a browser is sent, in the same runtime and for each side alike.

/** What the platform compresses of what a page loads. */
const COMPRESSED = /^(?:text\/|application\/(?:json|javascript|wasm)\b)/;

export default {
  /**
   * @param {Request} request
   * @param {{SIDE: {fetch: typeof fetch}}} env
   */
  async fetch(request, env) {
    const answer = await env.SIDE.fetch(request);
    const accepts = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '');
    if (!accepts || answer.body === null || !COMPRESSED.test(answer.headers.get('content-type') ?? '')) return answer;
    const headers = new Headers(answer.headers);
    headers.delete('content-length');
    // The runtime compresses a body whose header says so.
    headers.set('content-encoding', 'gzip');
    headers.append('vary', 'accept-encoding');
    return new Response(answer.body, { status: answer.status, headers });
  },
};
