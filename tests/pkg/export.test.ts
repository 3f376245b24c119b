// What the command says of an export, by its last line.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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

test('the export of a treasury is read part by part, with one line of columns, and neither is one where no treasury is', async () => {
  const parts: Record<string, [text: string, next?: string]> = { '': ['a,b\r\n1,2\r\n', '7.x'], '7.x': ['a,b\r\n3,4\r\n5,6\r\n'] };
  let isThere = true;
  const treasury = createServer((request, answer) => {
    const url = new URL(request.url ?? '/', 'http://treasury');
    if (isThere && url.pathname === '/api/organizations') return void answer.end('{"items":[{"name":"acme"}]}');
    if (url.pathname !== '/api/organizations/acme/export')
      return void answer.writeHead(404).end(`{"code":"not_found","detail":"${url.pathname}"}`);
    const [text, next] = parts[url.searchParams.get('cursor') ?? ''] ?? ['never'];
    if (next !== undefined) answer.setHeader('farebox-cursor', next);
    Readable.from(apart([...text])).pipe(answer);
  }).listen(0, '127.0.0.1');
  await once(treasury, 'listening');
  const env = {
    PATH: process.env['PATH'],
    FAREBOX_URL: `http://127.0.0.1:${(treasury.address() as AddressInfo).port}`,
    FAREBOX_OPERATOR_TOKEN: 'o',
  };
  const run = async (...words: string[]): Promise<readonly [string, string]> => {
    const child = spawn(process.execPath, ['pkg/dist/cli/main.js', 'export', ...words], { env });
    const [out, err] = [child.stdout, child.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString());
    return [(await out) ?? '', (await err) ?? ''];
  };
  assert.deepEqual(await run(), ['a,b\r\n1,2\r\n3,4\r\n5,6\r\n', '']);
  assert.match((await run('--from', '2026-01-01'))[1], /the export of a treasury takes no --from/);
  isThere = false;
  // What neither has is told as a gate's.
  const neither = 'farebox: 404 not_found: /_farebox/export\n         what was asked for is not there, or no OPERATOR_TOKEN is set there\n';
  assert.deepEqual(await run(), ['', neither]);
  treasury.close();
});
