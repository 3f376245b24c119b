// A Worker that only asks a merchant, `?times=` times, with what its own request carries: what a merchant and the way there
// cost.

export default {
  /** @param {Request} request */
  async fetch(request) {
    const times = Number(new URL(request.url).searchParams.get('times'));
    const payment = request.headers.get('payment-signature');
    const { url, method } = await request.json();
    let text = '';
    for (let turn = 0; turn < times; turn += 1) {
      const answer = await fetch(url, { method, headers: payment === null ? {} : { 'payment-signature': payment } });
      text = await answer.text();
    }
    return new Response(text);
  },
};
