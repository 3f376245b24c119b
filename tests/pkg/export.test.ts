// What the command says of an export, by its last line.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { exported } from '../../pkg/dist/cli/operate/gate.js';

const codeOf = (last: string): Promise<number> => exported({ copy: async () => last } as never, { values: {} } as never);

//
test('an export is incomplete if its last line says so, and not because a text in it does', async () => {
  for (const last of ['incomplete,ledger_unavailable\r', 'incomplete,ledger_unavailable', '{"incomplete":"ledger_unavailable"}'])
    assert.equal(await codeOf(last), 1, last);
  for (const last of [
    '',
    'rcpt_1,waived,incomplete\r',
    '{"id":"rcpt_1","reason":"incomplete"}',
    '{"id":"rcpt_1","reason":"\\"incomplete\\""}',
    '"incomplete, says the payer"\r',
  ])
    assert.equal(await codeOf(last), 0, last);
});
