// What the command says of an export, by its last line.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';

import { exported } from '../../pkg/dist/cli/operate/gate.js';
import { Operator } from '../../pkg/dist/operator/client.js';

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

/** Hands pieces over one by one, so that none is sent with the next. */
async function* apart(pieces: readonly string[]) {
  for (const piece of pieces) {
    yield piece;
    await new Promise((done) => setTimeout(done, 10));
  }
}

//
test('an export that breaks behind its rows is incomplete, however it comes in pieces', async () => {
  for (const [rows, complaint] of [
    ['{"id":"rcpt_1"}\n', '{"incomplete":"ledger_unavailable"}\n'],
    ['id,state\r\nrcpt_1,delivered\r\n', 'incomplete,ledger_unavailable\r\n'],
  ] as const)
    for (const pieces of [[rows, complaint], [rows + complaint], [...rows, ...complaint], [rows]]) {
      const gate = createServer((_, answer) => Readable.from(apart(pieces)).pipe(answer)).listen(0, '127.0.0.1');
      await once(gate, 'listening');
      const operator = new Operator('o', `http://127.0.0.1:${(gate.address() as AddressInfo).port}`);
      let copied = '';
      const last = await operator.copy('/_farebox/export', {}, (text) => (copied += text));
      gate.close();
      assert.equal(copied, pieces.join(''));
      assert.equal(await codeOf(last), pieces.length === 1 && pieces[0] === rows ? 0 : 1, JSON.stringify(pieces));
    }
});
