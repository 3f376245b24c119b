// A page that was made before: answers 402 with it, and does nothing else.

export default {
  /**
   * @param {Request} _request
   * @param {{HTML: string, REQUIRED: string}} env
   */
  fetch(_request, env) {
    return new Response(env.HTML, { status: 402, headers: { 'content-type': 'text/html', 'payment-required': env.REQUIRED } });
  },
};
