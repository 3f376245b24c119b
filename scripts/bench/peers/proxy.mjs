// The least that can stand in front of an origin: sends each request on, and knows no payment.

export default {
  /**
   * @param {Request} request
   * @param {{ORIGIN_URL: string}} env
   */
  fetch(request, { ORIGIN_URL }) {
    const url = new URL(request.url);
    return fetch(new Request(ORIGIN_URL + url.pathname + url.search, request));
  },
};
