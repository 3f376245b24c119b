/** Answers that begin before their requests have ended, and then end too early or seem to: which of payer and origin owes, and what the origin has of the request. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import { rowsOf } from './support/operator.ts';
import type { Payment } from './support/payer.ts';
import { type Bytes, openRawWorld, type RawOrigin } from './support/raw-origin.ts';
import { eventually, payFor, type World } from './support/world.ts';

/** Bytes of an upload that fits into no buffer on its way, and of its beginning. */
const HUGE = 10_000_000;
const LONG = 300_000;
const PIECE = 1_000;

const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const EVENT = `data: ${'x'.repeat(5_000)}\n\n`;
const ALL_EVENTS = Buffer.from(`${EVENTS}${EVENT.length.toString(16)}\r\n${EVENT}\r\n0\r\n\r\n`);
const NOTHING = Buffer.alloc(0);
/** Keeps the connection for so many seconds behind an answer. */
const kept = (answer: Buffer, seconds: number): Bytes => ({
  pieces: [answer, ...new Array<Buffer>(seconds).fill(NOTHING)],
  everyMs: 1_000,
});
const CHUNKED = 'Transfer-Encoding: chunked';
const chunk = (piece: string): string => `${piece.length.toString(16)}\r\n${piece}\r\n`;
const answerOf = (content: string | Buffer, ...headers: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from(['HTTP/1.1 200 OK', `Content-Length: ${content.length}`, ...headers, '', ''].join('\r\n')),
    Buffer.from(content),
  ]);

type Client = { readonly socket: Socket; taken: number; text: string; isClosed: boolean };

describe('an answer before the end of its upload', { concurrency: true }, () => {
  let world: World;
  let origin: RawOrigin;
  before(async () => {
    ({ world, origin } = await openRawWorld());
  });
  /** What a case that fails leaves behind. */
  const left: (() => void)[] = [];
  after(() => {
    for (const end of left) end();
    return world.stop();
  });

  /** Begins an upload; the rest of it is its client's. */
  const post = async (target: string, reply: Bytes, framing: string): Promise<{ client: Client; payment: Payment }> => {
    origin.script(target, { early: true, ...reply });
    const payment = await payFor(world, target, { method: 'POST' });
    const { hostname, port } = new URL(world.gate.url);
    const client: Client = { socket: connect({ host: hostname, port: Number(port) }), taken: 0, text: '', isClosed: false };
    left.push(() => client.socket.destroy());
    client.socket.on('error', () => undefined);
    client.socket.on('close', () => {
      client.isClosed = true;
    });
    client.socket.on('data', (piece) => {
      client.taken += piece.length;
      if (client.text.length < LONG) client.text += piece.toString('latin1');
    });
    client.socket.write(`POST ${target} HTTP/1.1\r\nHost: shop.example\r\n${payment.row.join(': ')}\r\n${framing}\r\n\r\n`);
    return { client, payment };
  };
  const long = `Content-Length: ${HUGE}`;

  /** Goes on with it. */
  const going = ({ socket }: Client, piece: string, everyMs: number): { stop(): void } => {
    const pieces = setInterval(() => socket.write(piece), everyMs);
    const stop = (): void => {
      clearInterval(pieces);
      socket.destroy();
    };
    left.push(stop);
    return { stop };
  };

  const isAtRest = async (payment: Payment): Promise<unknown> => {
    let state: unknown;
    await eventually('the row is at rest', async () => {
      state = (await rowsOf(world, payment.payer.toLowerCase()))[0]?.['state'];
      return !['undefined', 'claimed', 'verified', 'settling', 'executing', 'delivering'].includes(String(state));
    });
    return state;
  };

  for (const [what, reply] of [
    ['hangs up', { pieces: [ALL_EVENTS, NOTHING], everyMs: 1_500, then: 'close' }],
    ['resets', { pieces: [ALL_EVENTS, NOTHING], everyMs: 1_500, then: 'reset' }],
    ['waits', { pieces: [ALL_EVENTS, ...new Array<Buffer>(10).fill(NOTHING)], everyMs: 1_000 }],
  ] as const) {
    for (const sent of [HUGE - 100_000, HUGE]) {
      //
      it(`is charged where its origin takes no more of ${sent} bytes and ${what}: all of it may have come`, async () => {
        const { client, payment } = await post(`/before/untaken-${sent}-${what.replace(' ', '-')}`, { ...reply, unreadMs: 60_000 }, long);
        client.socket.write(Buffer.alloc(sent, 'b'));
        assert.equal(await isAtRest(payment), 'delivered');
        assert.ok(client.taken > EVENT.length, client.text.slice(0, 300));
        client.socket.destroy();
      });
    }
  }

  for (const [bytes, pauseMs, seconds, state] of [
    [1, 0, 12, 'delivered'],
    [800, 0, 12, 'delivered'],
    [40_000, 0, 12, 'delivered'],
    [100_000, 0, 12, 'refund_due'],
    [100_000, 11_000, 23, 'refund_due'],
    [100_000, 11_000, 15, 'delivered'],
  ] as const) {
    //
    it(`is ${state} where its origin breaks off ${seconds} s later, ${bytes} bytes come twice a second, after ${pauseMs} ms`, async () => {
      const head = Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n${'s'.repeat(2_000_000)}`);
      const pieces = [head, ...new Array<Buffer>(seconds).fill(Buffer.alloc(100, 's'))];
      const target = `/before/dripping-${bytes}-${pauseMs}-${seconds}`;
      const { client, payment } = await post(target, { pieces, everyMs: 1_000, then: 'reset' }, long);
      client.socket.write(Buffer.alloc(LONG, 'b'));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const upload = going(client, 'b'.repeat(bytes), 500);
      assert.equal(await isAtRest(payment), state);
      assert.ok(client.taken > 2_000_000, `${client.taken}`);
      upload.stop();
    });
  }

  //
  it('is delivered where its upload drips and brings much at the end alone, and its origin breaks off', async () => {
    const [dripMs, seconds] = [20_000, 27];
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n${'s'.repeat(2_000_000)}`);
    const pieces = [head, ...new Array<Buffer>(seconds).fill(Buffer.alloc(100, 's'))];
    const { client, payment } = await post('/before/late-haste', { pieces, everyMs: 1_000, then: 'reset' }, long);
    client.socket.write(Buffer.alloc(LONG, 'b'));
    for (let ms = 0; ms < dripMs; ms += 500) {
      client.socket.write('b');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const upload = going(client, 'b'.repeat(120_000), 500);
    assert.equal(await isAtRest(payment), 'delivered');
    assert.ok(client.taken > 2_000_000, `${client.taken}`);
    upload.stop();
  });

  //
  it('is owed where its origin falls silent in the middle, and its client sends on', async () => {
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${HUGE}\r\n\r\n${'s'.repeat(1_200_000)}`);
    const pieces = [head, ...new Array<Buffer>(10).fill(NOTHING)];
    const { client, payment } = await post('/before/silent', { pieces, everyMs: 1_000 }, long);
    client.socket.write(Buffer.alloc(LONG, 'b'));
    const upload = going(client, 'b'.repeat(PIECE), 50);
    assert.equal(await isAtRest(payment), 'refund_due');
    assert.ok(client.taken > 1_000_000, `${client.taken}`);
    upload.stop();
  });

  //
  it('is owed where its upload breaks off before anything has flowed', async () => {
    const bytes = 2_000_000;
    const head = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n`;
    const pieces = [Buffer.from(`${head}${'s'.repeat(bytes)}\r\n0\r\n\r\n`), ...new Array<Buffer>(5).fill(NOTHING)];
    const { client, payment } = await post('/before/nothing', { pieces, everyMs: 1_000 }, long);
    client.socket.write(Buffer.alloc(LONG, 'b'));
    await eventually('the origin has answered', () => origin.of('/before/nothing').length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    client.socket.destroy();
    assert.equal(await isAtRest(payment), 'refund_due');
    assert.equal(client.taken, 0);
  });

  for (const [what, answer, seconds] of [
    ['is short', answerOf('accepted'), 13],
    ['is compressed', answerOf(gzipSync('accepted'), 'Content-Encoding: gzip'), 13],
    ['is long', answerOf('a'.repeat(2_000_000)), 4],
    // The origin has three seconds.
    ['has no length', ALL_EVENTS, 16],
  ] as const) {
    //
    it(`lets all of an upload in chunks go on to its end where it ${what}`, async () => {
      const target = `/before/outlasted-${what.replaceAll(' ', '-')}`;
      const { client, payment } = await post(target, kept(answer, seconds + 20), CHUNKED);
      const pieces = seconds * 2;
      for (let n = 0; n < pieces; n += 1) {
        assert.equal(client.isClosed, false, `closed after ${n} of ${pieces} pieces`);
        client.socket.write(chunk('b'.repeat(LONG / 10)));
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      client.socket.write('0\r\n\r\n');
      assert.equal(await isAtRest(payment), 'delivered');
      assert.deepEqual(
        origin.of(target).map(({ complete, body }) => [complete, body.length]),
        [[true, (pieces * LONG) / 10]],
      );
      assert.match(client.text, what === 'is short' ? /accepted$/ : /^HTTP\/1\.1 200 /);
      client.socket.destroy();
    });
  }

  for (const [what, mode, answer, state] of [
    ['is short', 'before', answerOf('accepted'), 'refund_due'],
    ['is compressed', 'before', answerOf(gzipSync('accepted'), 'Content-Encoding: gzip'), 'refund_due'],
    ['is long', 'before', answerOf('a'.repeat(2_000_000)), 'delivered'],
    ['is short', 'after', answerOf('accepted'), 'abandoned'],
    ['is an error', 'after', Buffer.from('HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad'), 'abandoned'],
    ['is an error', 'before', Buffer.from('HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad'), 'refund_due'],
  ] as const) {
    //
    it(`ends no upload in chunks that its client breaks off, as if it were whole, where it ${what} (${mode})`, async () => {
      const target = `/${mode}/hung-up-${what.replaceAll(' ', '-')}`;
      const { client, payment } = await post(target, kept(answer, 10), CHUNKED);
      client.socket.write(chunk('b'.repeat(LONG)));
      await eventually('the origin has it', () => (origin.of(target)[0]?.body.length ?? 0) === LONG || client.isClosed);
      if (state === 'delivered') await eventually('its answer flows', () => client.taken > 0);
      else await new Promise((resolve) => setTimeout(resolve, 500));
      client.socket.destroy();
      await eventually('the origin sees it end', () => origin.of(target)[0]?.ended === true);
      assert.equal(origin.of(target)[0]?.complete, false);
      assert.equal(await isAtRest(payment), state);
    });
  }

  //
  it('is not settled where its origin hangs up on the upload and nothing of it can be read', async () => {
    const reply = { pieces: [ALL_EVENTS, NOTHING], everyMs: 500, then: 'reset', unreadMs: 60_000 } as const;
    const { client, payment } = await post('/after/unreadable', reply, long);
    client.socket.write(Buffer.alloc(HUGE - 100_000, 'b'));
    await eventually('there is an answer', () => client.isClosed || client.text.includes('\r\n\r\n'));
    assert.match(client.text, /^HTTP\/1\.1 502 [^]*origin_failed/);
    assert.equal(await isAtRest(payment), 'abandoned');
    assert.deepEqual(world.facilitator.of('settle', payment.payer), []);
    client.socket.destroy();
  });
});
