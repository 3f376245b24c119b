// The rules of gate, treasury and market in the npm package: in the place of rules.mjs, compiled beside the bundle.

import { readFileSync } from 'node:fs';

// @ts-expect-error: the glue, which the bundle puts here.
import * as glue from '#rules';

glue.initSync({ module: readFileSync(new URL('./rules.wasm', import.meta.url)) });

/**
 * @param {import('./source.mjs').Table} variables variables and secrets together
 * @returns {import('./rules.mjs').Judgement}
 */
export function judge(variables) {
  return JSON.parse(glue.judge(JSON.stringify(variables)));
}

/**
 * @param {import('./source.mjs').Table} variables of a treasury
 * @returns {Pick<import('./rules.mjs').Judgement, 'errors'>}
 */
export function judgeTreasury(variables) {
  return JSON.parse(glue.judgeTreasury(JSON.stringify(variables)));
}

/**
 * @param {import('./source.mjs').Table} variables of a market
 * @returns {Pick<import('./rules.mjs').Judgement, 'errors'>}
 */
export function judgeMarket(variables) {
  return JSON.parse(glue.judgeMarket(JSON.stringify(variables)));
}

/**
 * @param {string} url of a facilitator
 * @param {string} location
 * @returns {string | undefined} where the gate follows its redirect to
 */
export function redirectTarget(url, location) {
  return glue.redirectTarget(url, location);
}

/**
 * @param {string} address of a client
 * @returns {string} the network by which the gate counts it
 */
export function clientNetwork(address) {
  return glue.clientNetwork(address);
}
