// What the npm package takes from here: `farebox dev`, and what `farebox serve --local` prints.

import { buyLines, keyLines, payLine } from './told.mjs';

export { dev } from './command.mjs';
export { canBeLocal, INSTALL } from './money.mjs';

/**
 * The lines with which a person buys at a gate that takes local money.
 *
 * @param {{url: string, routes: unknown, key: string, store: string}} gate
 * @returns {string}
 */
export function buying({ url, routes, key, store }) {
  return [...keyLines(key), ...buyLines({ url, routes, buy: (one) => payLine(one, store) })].join('\n');
}
