// The gate's own rules in the npm package: in the place of rules.mjs, compiled beside the bundle.

import { readFileSync } from 'node:fs';

// @ts-expect-error: the glue, which the bundle puts here.
import { initSync, judge as judgeText } from '#rules';

initSync({ module: readFileSync(new URL('./rules.wasm', import.meta.url)) });

/**
 * @param {import('./source.mjs').Table} variables variables and secrets together
 * @returns {import('./rules.mjs').Judgement}
 */
export function judge(variables) {
  return JSON.parse(judgeText(JSON.stringify(variables)));
}
