/** WebSockets: they pass on free paths, in both directions and to their end, and on priced routes nothing is upgraded. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { connect, Echo, next, refusal } from './support/sockets.ts';
import { eventually, openWorld, routes, type World } from './support/world.ts';

describe('a WebSocket', () => {
  let world: World;
  let echo: Echo;
  before(async () => {
    echo = await Echo.start();
    world = await openWorld({ routes: routes(), vars: { ORIGIN_URL: `http://127.0.0.1:${echo.port}/base` } });
  });
  after(async () => {
    echo.stop();
    await world.stop();
  });

  it('on a free path carries text and bytes both ways, and its end', async () => {
    const headers = { 'x-kept': 'kept', 'farebox-payer': 'forged', 'x-forwarded-host': 'evil.example' };
    const socket = connect(world.gate.url, '/free/echo?room=1', { protocols: ['chat'], headers });
    await next(socket, 'open');
    assert.equal(socket.protocol, 'chat');
    for (const sent of ['hello', 'x'.repeat(100_000)]) {
      const answer = next<Buffer>(socket, 'message');
      socket.send(sent);
      assert.equal(String(await answer), sent);
    }
    const bytes = next<Buffer>(socket, 'message');
    socket.send(Buffer.from([0, 255, 128]));
    assert.deepEqual([...(await bytes)], [0, 255, 128]);
    const [{ url, headers: seen } = { url: '', headers: {} as Record<string, undefined> }] = echo.upgraded;
    assert.equal(url, '/base/free/echo?room=1');
    assert.deepEqual([seen['x-kept'], seen['farebox-payer'], seen['x-forwarded-host']], ['kept', undefined, new URL(world.gate.url).host]);
    const end = next<number>(socket, 'close');
    socket.close(4001, 'done');
    assert.equal(await end, 4001);
    await eventually('the origin is told of the end', () => echo.closed.includes(4001));
  });

  it('is the only upgrade: another one is left out, and the origin says what it thinks of that', async () => {
    const { length } = echo.upgraded;
    const answer = await world.gate.raw('GET', '/free/echo', [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'h2c'],
    ]);
    assert.equal(answer.status, 426);
    assert.equal(echo.upgraded.length, length);
  });

  //
  it('on a priced route is refused before the origin is asked', async () => {
    const { length } = echo.upgraded;
    assert.equal(await refusal(connect(world.gate.url, '/after/echo')), 400);
    assert.equal(echo.upgraded.length, length);
  });
});
