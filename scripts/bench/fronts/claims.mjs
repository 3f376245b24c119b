// In front of a ledger's objects: plays commands to them, so many at once, as the Worker would.
//
// A request's body has one line per command: the object's name, a space, the JSON. The answer is how many there were,
// and what the first one was told that was not granted.

// @ts-expect-error whichever objects stand beside this module inside workerd
export { Ledger } from './index.js';

/**
 * @typedef {object} Objects
 * @property {(name: string) => unknown} idFromName
 * @property {(id: unknown) => {fetch: (url: string, init: RequestInit) => Promise<Response>}} get
 */

export default {
  /**
   * @param {Request} request
   * @param {{LEDGER: Objects}} env
   */
  async fetch(request, { LEDGER }) {
    const atOnce = Number(new URL(request.url).searchParams.get('at-once'));
    const lines = (await request.text()).split('\n');
    let [next, refused] = [0, ''];
    const one = async () => {
      for (let line = lines[next++]; line !== undefined; line = lines[next++]) {
        const space = line.indexOf(' ');
        const object = LEDGER.get(LEDGER.idFromName(line.slice(0, space)));
        const response = await object.fetch('https://ledger/', { method: 'POST', body: line.slice(space + 1) });
        const answer = await response.text();
        if (!answer.startsWith(GRANTED)) refused ||= answer;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    return Response.json({ played: lines.length, refused });
  },
};

const GRANTED = '{"answer":{"granted":';
