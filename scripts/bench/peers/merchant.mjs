// A merchant that answers at once, beside the one that pays it in the same runtime: a 402 with x402 terms to who brings no
// payment, and else the goods with a settlement. It checks nothing.

/** @typedef {{TERMS: string, SETTLEMENT: string}} Variables the values of its two header fields */

export default {
  /**
   * @param {Request} request
   * @param {Variables} env
   */
  fetch(request, { TERMS, SETTLEMENT }) {
    const type = { 'content-type': 'application/json' };
    if (request.headers.get('payment-signature') === null) {
      return new Response('{"error":"payment required"}', { status: 402, headers: { ...type, 'payment-required': TERMS } });
    }
    return new Response(GOODS, { headers: { ...type, 'payment-response': SETTLEMENT } });
  },
};

const GOODS = '{"report":"Rainfall, Tuesday","millimetres":10}\n';
