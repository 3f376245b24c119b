/** Uploads that take long are served; of those that break off nothing is begun, delivered or charged with a part of a body, and no origin takes it for the whole. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, it } from 'node:test';

import { type Break, dripping, type Framing, sendBroken } from './support/broken.ts';
import type { Payment } from './support/payer.ts';
import { GOOD, GOOD_BODY, openRawWorld, type RawOrigin } from './support/raw-origin.ts';
import { eventually, expectPaid, expectProblem, jsonOf, MODES, openWorld, payFor, SECRETS, send, type World } from './support/world.ts';

/** A body that is digested before anything is claimed, and one that streams. */
const SHORT = 1_000;
const LONG = 300_000;

const BREAKS: readonly (readonly [Framing, Break])[] = [
  ['length', 'close'],
  ['length', 'reset'],
  ['chunked', 'close'],
  ['chunked', 'reset'],
  ['chunked', 'garbage'],
];
/** For what an origin says before the end of the body. */
const EARLY_MS = 300;
const NOT_SETTLED = { after: 0, before: 1 } as const;
const TOLD = { after: 'origin_failed', before: 'refund_due' } as const;
/** The same once the answer flows: what is taken of it is not paid back. */
const TOLD_BEHIND = { after: 'origin_failed', before: 'payment_already_delivered' } as const;

describe('an upload that breaks off', () => {
  let world: World;
  let origin: RawOrigin;
  before(async () => {
    ({ world, origin } = await openRawWorld());
  });
  after(() => world.stop());

  /** Waits until the origin has seen the request, and a little longer. */
  const isAsked = async (target: string): Promise<void> => {
    await eventually('the origin is asked', () => origin.of(target).length === 1);
    await new Promise((resolve) => setTimeout(resolve, EARLY_MS));
  };
  const whole = { method: 'POST', body: 'b'.repeat(SHORT) };

  it('is another matter than one that comes in chunks of one byte, which is the same body', async () => {
    const [target, body] = ['/after/bytes', 'byte by byte, '.repeat(4_000)];
    const payment = await payFor(world, target, { method: 'POST' });
    const { hostname, port } = new URL(world.gate.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect({ host: hostname, port: Number(port) });
      let text = '';
      socket.on('data', (piece) => {
        text += piece.toString();
      });
      socket.on('close', () => {
        resolve(text);
      });
      socket.write(
        `POST ${target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n${payment.row.join(': ')}\r\nTransfer-Encoding: chunked\r\n\r\n`,
      );
      socket.write(`${[...body].map((byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`);
    });
    assert.match(answer, /^HTTP\/1\.1 200 /);
    assert.deepEqual(
      origin.of(target).map((call) => call.body.toString()),
      [body],
    );
    // It is bound to that body.
    assert.equal(jsonOf(await send(world, target, payment, { method: 'POST', body }))['code'], 'payment_already_delivered');
    assert.equal(jsonOf(await send(world, target, payment, { method: 'POST', body: `${body}!` }))['code'], 'payment_already_used');
  });

  // A-298
  it('undoes nothing where its client has all of the answer (before)', async () => {
    const [target, bytes] = ['/before/early-whole', 3_000_000];
    origin.script(target, { pieces: [streamed(bytes)], early: true });
    const payment = await payFor(world, target, { method: 'POST' });
    const { hostname, port } = new URL(world.gate.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let taken = 0;
    socket.on('data', (piece) => {
      taken += piece.length;
    });
    socket.on('error', () => undefined);
    socket.write(
      `POST ${target} HTTP/1.1\r\nHost: shop.example\r\n${payment.row.join(': ')}\r\nContent-Length: 10000000\r\n\r\n${'b'.repeat(LONG)}`,
    );
    await eventually('the client has the answer', () => taken > bytes);
    socket.destroy();
    await eventually('the row says so', async () => {
      const answer = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) });
      return answer.status === 409 && !answer.text.includes('payment_in_progress');
    });
    const again = await world.gate.raw('GET', '/_farebox/payments?state=delivered', [
      ['Authorization', `Bearer ${SECRETS['OPERATOR_TOKEN']}`],
    ]);
    assert.ok(again.text.includes(payment.payer.toLowerCase()), again.text.slice(0, 300));
  });

  // A-306
  it('is broken off by its client where the origin was slow to take it, too (before)', async () => {
    const target = '/before/early-slow';
    const pieces = [streamed(6_000_000).subarray(0, 3_000_000), ...new Array<Buffer>(20).fill(Buffer.alloc(100))];
    origin.script(target, { pieces, everyMs: 1_000, early: true, unreadMs: 11_000 });
    const payment = await payFor(world, target, { method: 'POST' });
    const { hostname, port } = new URL(world.gate.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let taken = 0;
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      taken += piece.length;
    });
    const length = 14_000_000;
    socket.write(
      `POST ${target} HTTP/1.1\r\nHost: shop.example\r\n${payment.row.join(': ')}\r\nContent-Length: ${length}\r\n\r\n${'b'.repeat(length - 1)}`,
    );
    await eventually('the client has most of the answer', () => taken > 2_900_000, 20_000);
    await eventually('the origin has read what was sent', () => (origin.of(target)[0]?.body.length ?? 0) > length - 100, 20_000);
    socket.destroy();
    await eventually('the row says so', async () => {
      const { status, text } = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) });
      assert.ok(!text.includes('refund_due'), text);
      return status === 409 && text.includes('payment_already_delivered');
    });
  });

  // A-298
  it('is not the cause where the origin breaks its answer off: that is owed (before)', async () => {
    const target = '/before/early-crash';
    const whole = streamed(3_000_000);
    origin.script(target, {
      pieces: [whole.subarray(0, 1_500_000), whole.subarray(1_500_000, 1_600_000)],
      everyMs: 1_500,
      early: true,
      then: 'reset',
    });
    const payment = await payFor(world, target, { method: 'POST' });
    const { hostname, port } = new URL(world.gate.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(
      `POST ${target} HTTP/1.1\r\nHost: shop.example\r\n${payment.row.join(': ')}\r\nContent-Length: 10000000\r\n\r\n${'b'.repeat(LONG)}`,
    );
    await dripping(socket, { piece: 'b'.repeat(1_000), everyMs: 50 }, () =>
      eventually('a refund is due', async () => {
        const answer = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) });
        return answer.status === 409 && answer.text.includes('refund_due');
      }),
    );
  });

  for (const mode of MODES) {
    for (const [framing, how] of BREAKS) {
      const name = `${framing}-${how}`;

      // A-146
      it(`begins nothing where it is short (${mode}, ${framing}, ${how})`, async () => {
        const target = `/${mode}/short-${name}`;
        const payment = await payFor(world, target, { method: 'POST' });
        const answer = await sendBroken(world.gate.url, { target, headers: [payment.row], framing, bytes: SHORT, sent: SHORT / 2, how });
        assert.match(answer, how === 'reset' ? /^$/ : /^HTTP\/1\.1 400 [^]*"incomplete_body"/);
        assert.deepEqual(
          [origin.of(target), world.facilitator.of('verify', payment.payer), world.facilitator.of('settle', payment.payer)],
          [[], [], []],
        );
        expectPaid(await send(world, target, payment, whole), payment);
        assert.deepEqual(
          origin.of(target).map(({ body }) => body.toString()),
          [whole.body],
        );
      });

      // A-146
      it(`is an aborted request to the origin where it is long, and no delivery (${mode}, ${framing}, ${how})`, async () => {
        const target = `/${mode}/long-${name}`;
        const payment = await payFor(world, target, { method: 'POST' });
        await sendBroken(world.gate.url, {
          target,
          headers: [payment.row],
          framing,
          bytes: LONG,
          sent: LONG / 2,
          how,
          once: () => isAsked(target),
        });
        await eventually('the origin sees it end', () => origin.of(target).every(({ ended }) => ended));
        assert.deepEqual(
          origin.of(target).map(({ complete }) => complete),
          [false],
        );
        await eventually(
          'the row says so',
          async () => (await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) })).status !== 503,
        );
        const told = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) });
        expectProblem(told, { status: 409, code: TOLD[mode] });
        assert.equal(world.facilitator.of('settle', payment.payer).length, NOT_SETTLED[mode]);
      });
    }

    for (const [what, pieces, how, told] of [
      ['in one piece', GOOD.pieces, 'garbage', TOLD],
      ['with a stream', [streamed(2_000_000)], 'garbage', TOLD_BEHIND],
      ['with a stream', [streamed(2_000_000)], 'reset', TOLD_BEHIND],
    ] as const) {
      it(`is ${told[mode]} where the origin answers before its end ${what} (${mode}, ${how})`, async () => {
        const target = `/${mode}/early-${what.replaceAll(' ', '-')}-${how}`;
        origin.script(target, { pieces, early: true, then: 'hang' });
        const payment = await payFor(world, target, { method: 'POST' });
        const headers = [payment.row];
        await sendBroken(world.gate.url, {
          target,
          headers,
          framing: 'chunked',
          bytes: LONG,
          sent: LONG / 2,
          how,
          once: () => isAsked(target),
        });
        assert.deepEqual(
          origin.of(target).map(({ complete }) => complete),
          [false],
        );
        await eventually('the row says so', async () => {
          const answer = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) });
          return answer.status === 409 && answer.text.includes(told[mode]);
        });
        assert.equal(world.facilitator.of('settle', payment.payer).length, NOT_SETTLED[mode]);
      });
    }

    it(`is another matter than a long one that comes whole (${mode})`, async () => {
      const target = `/${mode}/long-whole`;
      const payment = await payFor(world, target, { method: 'POST' });
      const answer = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) });
      expectPaid(answer, payment);
      assert.equal(answer.text, GOOD_BODY);
      assert.deepEqual(
        origin.of(target).map(({ head, body, complete }) => [/content-length: 300000/i.test(head), body.length, complete]),
        [[true, LONG, true]],
      );
    });
  }
});

describe('an upload that takes longer than the origin may', { concurrency: true }, () => {
  const [PIECE, PIECES, EVERY_MS] = ['b'.repeat(20_000), 5, 1_300];
  let world: World;
  let origin: Server;
  const asked = new Map<string, number>();
  before(async () => {
    origin = createServer((request, response) => {
      void answer(request, response);
    });
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    world = await openWorld({ vars: { ORIGIN_URL: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` } });
  });
  after(async () => {
    await world.stop();
    origin.closeAllConnections();
    origin.close();
  });

  /** Answers when it has all of a body; its head comes at once where the path says so. */
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '';
    asked.set(path, (asked.get(path) ?? 0) + 1);
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    if (path.includes('early')) response.flushHeaders();
    let bytes = 0;
    for await (const piece of request) bytes += (piece as Buffer).length;
    response.end(`${bytes} bytes`);
  };

  const trickle = async (target: string, row: readonly string[]): Promise<string> => {
    const { hostname, port } = new URL(world.gate.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let text = '';
    const told = new Promise<string>((resolve) => {
      socket.on('close', () => {
        resolve(text);
      });
      socket.on('data', (piece) => {
        text += piece.toString();
        if (/ bytes$|\}$/.test(text)) socket.destroy();
      });
    });
    socket.write(`POST ${target} HTTP/1.1\r\nHost: shop.example\r\n${row.join(': ')}\r\nContent-Length: ${PIECE.length * PIECES}\r\n\r\n`);
    for (let piece = 0; piece < PIECES; piece += 1) {
      if (piece > 0) await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      socket.write(PIECE);
    }
    return told;
  };

  for (const mode of MODES) {
    for (const when of ['early', 'afterwards'] as const) {
      it(`is served, and is one delivery, where the head comes ${when} (${mode})`, async () => {
        const target = `/${mode}/slow-${when}`;
        const payment = await payFor(world, target, { method: 'POST' });
        const [told] = await Promise.all([trickle(target, payment.row), copied(target, payment)]);
        assert.match(told, /^HTTP\/1\.1 200 [^]*100000 bytes/);
        assert.deepEqual([asked.get(target), world.facilitator.of('settle', payment.payer).length], [1, 1]);
        const again = await send(world, target, payment, { method: 'POST', body: PIECE.repeat(PIECES) });
        assert.equal(jsonOf(again)['code'], 'payment_already_delivered');
      });
    }
  }

  /** What a copy is told meanwhile. */
  const copied = async (target: string, payment: Payment): Promise<void> => {
    await eventually('the origin is asked', () => asked.get(target) === 1);
    await new Promise((resolve) => setTimeout(resolve, 2 * EVERY_MS));
    const copy = await send(world, target, payment, { method: 'POST', body: PIECE.repeat(PIECES) });
    assert.equal(jsonOf(copy)['code'], 'payment_in_progress');
  };
});

function streamed(bytes: number): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n${'s'.repeat(bytes)}`);
}
