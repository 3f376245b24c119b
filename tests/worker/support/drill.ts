/** The build that panics on request or goes on with a guard broken, and what its panics look like from outside. */
import assert from 'node:assert/strict';

import type { Answer } from './raw.ts';
import { jsonOf } from './world.ts';

export const DRILL = process.env['FAREBOX_DRILL_BUILD'] ?? 'build/panic-drill';

/** The answer to a request whose instance is lost. */
export function expectLost(answer: Answer): void {
  assert.equal(answer.status, 500, answer.text);
  assert.equal(jsonOf(answer)['code'], 'internal');
  assert.equal(answer.headers['cache-control'], 'no-store');
}
