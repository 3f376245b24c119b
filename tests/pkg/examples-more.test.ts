// The examples that install more than others, as a reader plays them: Python, and agents of others' libraries.

import { after, before, test } from 'node:test';

import { type Examples, NOBODY, prepareExamples, served, soldOnce } from './examples.ts';

let examples: Examples;
before(async () => {
  examples = await prepareExamples(['workerd', 'viem', '@x402/core', '@x402/evm']);
});
after(() => examples?.remove());

test('fastapi: an app in Python behind the gate', (context) =>
  examples.play(context, 'fastapi', (played) =>
    soldOnce(played, { path: '/summaries', method: 'POST', payee: NOBODY, token: served(played.folder) }),
  ));
