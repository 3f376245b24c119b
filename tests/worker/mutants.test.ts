/**
 * Guards of the Worker's own parts, removed: what somebody gets then, and what they get of the Worker that ships.
 *
 * Runs the drill's build, in which a request names what is broken from then on. Mutants of the compiled part are in
 * `crates/base/src/mutant/`, those of JavaScript in `scripts/mutants.mjs`; the deployed build has none.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';

import { MUTANTS } from '../../scripts/mutants.mjs';
import { type Break, dripping, sendBroken } from './support/broken.ts';
import { DRILL, expectLost } from './support/drill.ts';
import { type Feed, startFeed } from './support/feed.ts';
import { freshPayer, type JsonObject, type Payment, pay, requiredBy } from './support/payer.ts';
import { Pricer } from './support/pricer.ts';
import { type Bytes, GOOD, RawOrigin } from './support/raw-origin.ts';
import {
  eventually,
  expectFreshTerms,
  jsonOf,
  type Mode,
  nextNumber,
  openWorld,
  payFor,
  routes,
  send,
  type World,
} from './support/world.ts';

const SHORT = 1_000;
/** Bytes of an answer that fits into no buffer on its way, and of a part that is read at once. */
const HUGE = 24_000_000;
const SOME = 2_000_000;
const LONG = 300_000;
const PER_MINUTE = 500;
const DRIP = { piece: 'b', everyMs: 500 };

/** What an attack comes to: JSON, so that two can be compared. */
type Outcome = { readonly [what: string]: unknown };
type Case = {
  readonly mutants: string;
  /** A guard in front of it, which hides what becomes of its loss: broken both times. */
  readonly behind?: string;
  readonly what: string;
  readonly attack: () => Promise<Outcome>;
  readonly broken: Outcome;
  readonly held: Outcome;
};

describe('a guard that is removed', () => {
  let world: World;
  let origin: RawOrigin;
  let pricer: Pricer;
  let feed: Feed;
  before(async () => {
    [origin, pricer, feed] = await Promise.all([RawOrigin.start(), Pricer.start(), startFeed(DRILL)]);
    const patient = { path: '/patient/*', price: '$0.01', settle: 'before', max_timeout_secs: 60, origin_timeout_secs: 6 };
    const quoted = { path: '/quoted/*', price: { from: 'PRICER', max: '$1.00' }, max_timeout_secs: 60, origin_timeout_secs: 2 };
    world = await openWorld({
      build: DRILL,
      vars: { ORIGIN_URL: origin.url, CONTRACT_WALLETS: 'facilitator' },
      prices: pricer.url,
      perMinute: PER_MINUTE,
      routes: routes([quoted, patient]),
    });
  });
  after(async () => {
    // Some may not have begun, and what has would keep this file alive.
    await Promise.all([world?.stop(), origin?.stop(), pricer?.stop(), feed?.stop()]);
  });

  const plant = async (mutants: string): Promise<void> => {
    expectFreshTerms(await world.gate.raw('GET', '/after/plant', [['X-Mutants', mutants]]));
    assert.equal((await fetch(`${feed.gate.url}/feed`, { headers: { 'X-Mutants': mutants } })).status, 402);
  };

  /** What became of an upload that broke off. */
  const upload = async (mode: Mode, bytes: number, how: Break, early?: Bytes): Promise<Outcome> => {
    const target = `/${mode}/upload-${nextNumber()}`;
    if (early !== undefined) origin.script(target, { ...early, early: true, then: 'hang' });
    const payment = await payFor(world, target, { method: 'POST' });
    // A short one is not to be asked for; the head of an early answer is on its way once it is.
    const isAsked = () => eventually('the origin is asked', () => origin.of(target).length === 1);
    const isAnswered = () => isAsked().then(() => new Promise<void>((resolve) => setTimeout(resolve, 400)));
    const once = early === undefined ? isAsked : isAnswered;
    const broken = { target, headers: [payment.row], framing: 'chunked', bytes, sent: bytes / 2, how } as const;
    await sendBroken(world.gate.url, bytes === SHORT ? broken : { ...broken, once });
    await eventually('the origin sees it end', () => origin.of(target).every(({ ended }) => ended));
    let code: unknown = 'payment_in_progress';
    await eventually('the row says so', async () => {
      const told = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(bytes) });
      code = told.status === 200 ? 'served' : jsonOf(told)['code'];
      return code !== 'payment_in_progress';
    });
    const seen = origin.of(target).map(({ complete, body }) => [complete, body.length]);
    return { seen: seen[0] ?? null, code, settled: world.facilitator.of('settle', payment.payer).length };
  };

  /** How much of a part is read before it breaks off is the platform's matter. */
  const lacking =
    (bytes: number) =>
    ({ seen, settled }: Outcome): Outcome => {
      const [complete, length] = seen as [boolean, number];
      return { complete, lacks: length < bytes, settled };
    };
  const huge: Bytes = {
    pieces: [Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${HUGE}\r\n\r\n`), Buffer.alloc(HUGE)],
  };
  const stream: Bytes = {
    pieces: [Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n${'s'.repeat(2_000_000)}`)],
  };
  const accepted: Bytes = { pieces: [Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\naccepted')] };
  const without = async (attack: () => Promise<Outcome>, ...left: string[]): Promise<Outcome> =>
    Object.fromEntries(Object.entries(await attack()).filter(([what]) => !left.includes(what)));

  /** The status of an answer to a paid request whose origin answers with this one, and of one that follows. */
  const odd = async (): Promise<Outcome> => {
    const path = `/after/odd-${nextNumber()}`;
    origin.script(path, { pieces: [Buffer.from('HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n\r\nok')] });
    const payment = await payFor(world, path);
    const neighbour = await payFor(world, `${path}-slow`);
    world.facilitator.script(neighbour.payer, { settle: { kind: 'good', delayMs: 700 } });
    const beside = send(world, `${path}-slow`, neighbour);
    await eventually('the neighbour is being settled', () => world.facilitator.of('settle', neighbour.payer).length === 1);
    const told = await send(world, path, payment);
    return { told: jsonOf(told)['code'], neighbour: (await beside).status };
  };

  /** What becomes of honest payments after twelve of others that the facilitator stumbles over; proven or not. */
  const stumbled = async (proven: boolean): Promise<Outcome> => {
    const at = (network: number, payment: Payment) =>
      send(world, '/after/stumbles', payment, { headers: [['CF-Connecting-IP', `203.0.113.${network}`]] });
    for (let turn = 0; turn < 12; turn += 1) {
      const payer = freshPayer();
      world.facilitator.script(payer.address, { verify: { kind: 'json', status: 500, body: {} } });
      const required = requiredBy(await world.gate.raw('GET', '/after/stumbles'));
      const tamper = (message: JsonObject): void => {
        (message['payload'] as JsonObject)['signature'] = `0x${'ab'.repeat(97)}`;
      };
      await at(1, await pay(payer, required, proven ? {} : { tamper }));
    }
    const honest = await Promise.all([1, 2].map(() => payFor(world, '/after/stumbles')));
    const one = honest.slice(proven ? 1 : 0);
    for (const { payer } of one) world.facilitator.script(payer, { verify: { kind: 'good', delayMs: 300 } });
    const statuses = await Promise.all(one.map(async (payment) => (await at(2, payment)).status));
    return { honest: statuses.sort() };
  };

  /** What becomes of an answer whose reader takes nothing, and of one that is read slowly. */
  const taken = async (): Promise<Outcome> => {
    const { hostname, port } = new URL(world.gate.url);
    const read = async (pauseMs: number): Promise<Outcome> => {
      const target = `/after/read-${nextNumber()}`;
      origin.script(target, huge);
      const payment = await payFor(world, target);
      const socket = connect({ host: hostname, port: Number(port) });
      let bytes = 0;
      socket.on('error', () => undefined);
      if (pauseMs > 0) {
        socket.on('data', (piece) => {
          bytes += piece.length;
          if (Math.floor(bytes / SOME) === Math.floor((bytes - piece.length) / SOME)) return;
          socket.pause();
          setTimeout(() => socket.resume(), pauseMs);
        });
      }
      socket.write(`GET ${target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n${payment.row.join(': ')}\r\n\r\n`);
      const ended = await eventually('the origin is let go', () => origin.of(target)[0]?.ended === true, 6_000).then(
        () => true,
        () => false,
      );
      let told = '';
      await eventually('the row says so', async () => {
        const answer = await send(world, target, payment);
        told = `${answer.status} ${String(jsonOf(answer)['code'])}`;
        // The row of an answer that went out whole follows its last byte; one whose reader waits says the same until then.
        return !ended || !told.includes('payment_in_progress');
      });
      const whole = pauseMs > 0 && (await eventually('it is read', () => bytes > HUGE).then(() => true));
      socket.destroy();
      return { ended, whole, told };
    };
    const [nothing, slowly] = await Promise.all([read(0), read(250)]);
    return { nothing, slowly };
  };

  /** The connection of an upload of which only the head was sent, and what has come back. */
  const post = (target: string, payment: Payment) => {
    const { hostname, port } = new URL(world.gate.url);
    const socket = connect({ host: hostname, port: Number(port) });
    const seen = { taken: 0, isClosed: false };
    socket.on('error', () => undefined);
    socket.on('close', () => {
      seen.isClosed = true;
    });
    socket.on('data', (data) => {
      seen.taken += data.length;
    });
    socket.write(`POST ${target} HTTP/1.1\r\nHost: shop.example\r\n${payment.row.join(': ')}\r\nContent-Length: ${HUGE}\r\n\r\n`);
    return { socket, seen };
  };

  /** What becomes of an answer whose origin reads nothing of the request's body. */
  const unread = async (): Promise<Outcome> => {
    const [target, piece, pieces] = [`/patient/unread-${nextNumber()}`, Buffer.alloc(1_000, 'p'), 8];
    const promised = pieces * piece.length;
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${promised}\r\n\r\n`);
    origin.script(target, { pieces: [head, ...new Array<Buffer>(pieces).fill(piece)], everyMs: 500, early: true, unreadMs: 60_000 });
    const payment = await payFor(world, target, { method: 'POST' });
    const { socket, seen } = post(target, payment);
    socket.write(Buffer.alloc(HUGE - 1, 'b'));
    await eventually('there is an answer', () => seen.isClosed || seen.taken > promised, 20_000);
    socket.destroy();
    let code: unknown = 'payment_in_progress';
    await eventually('the row says so', async () => {
      code = jsonOf(await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) }))['code'];
      return code !== 'payment_in_progress';
    });
    return { came: seen.taken > promised, code };
  };

  /** What becomes of a whole answer of unknown length, whose client goes on with its upload byte by byte. */
  const endless = async (): Promise<Outcome> => {
    const [target, content] = [`/before/endless-${nextNumber()}`, 'c'.repeat(SOME)];
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const whole = Buffer.from(`${head}${SOME.toString(16)}\r\n${content}\r\n0\r\n\r\n`);
    // It keeps the connection.
    origin.script(target, { pieces: [whole, ...new Array<Buffer>(10).fill(Buffer.alloc(0))], everyMs: 1_000, early: true });
    const payment = await payFor(world, target, { method: 'POST' });
    const { socket, seen } = post(target, payment);
    socket.write(Buffer.alloc(LONG, 'b'));
    let code: unknown = 'payment_in_progress';
    await dripping(socket, DRIP, () =>
      eventually(
        'the row says so',
        async () => {
          code = jsonOf(await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) }))['code'];
          return seen.isClosed || code !== 'payment_in_progress';
        },
        20_000,
      ),
    );
    return { came: seen.taken > SOME, code };
  };

  /** What becomes of most of an answer whose origin breaks off, while its client has dripped and then sent much at once. */
  const late = async (): Promise<Outcome> => {
    const [target, byte] = [`/before/late-${nextNumber()}`, Buffer.alloc(1, 's')];
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${HUGE}\r\n\r\n${'s'.repeat(SOME)}`);
    origin.script(target, { pieces: [head, ...new Array<Buffer>(14).fill(byte)], everyMs: 1_000, early: true, then: 'reset' });
    const payment = await payFor(world, target, { method: 'POST' });
    const { socket, seen } = post(target, payment);
    socket.write(Buffer.alloc(SHORT * 100, 'b'));
    const rest = setTimeout(() => socket.write(Buffer.alloc(1_100_000, 'b')), 12_000);
    let code: unknown = 'payment_in_progress';
    await dripping(socket, DRIP, () =>
      eventually('the row says so', async () => {
        code = jsonOf(await send(world, target, payment, { method: 'POST', body: 'b'.repeat(LONG) }))['code'];
        return code !== 'payment_in_progress';
      }),
    ).finally(() => clearTimeout(rest));
    return { came: seen.taken > SOME, code };
  };

  /** How often an answer is settled whose origin hangs up on the upload, and takes its answer along. */
  const unreadable = async (): Promise<Outcome> => {
    const target = `/after/unreadable-${nextNumber()}`;
    const event = `data: ${'e'.repeat(SHORT)}\n\n`;
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
    const whole = Buffer.from(`${head}${event.length.toString(16)}\r\n${event}\r\n0\r\n\r\n`);
    origin.script(target, { pieces: [whole, Buffer.alloc(0)], everyMs: 500, early: true, unreadMs: 60_000, then: 'reset' });
    const payment = await payFor(world, target, { method: 'POST' });
    const { socket, seen } = post(target, payment);
    socket.write(Buffer.alloc(HUGE - 1, 'b'));
    await eventually('there is an answer', () => seen.isClosed || seen.taken > 0, 20_000);
    socket.destroy();
    return { settled: world.facilitator.of('settle', payment.payer).length };
  };

  const CASES: readonly Case[] = [
    {
      mutants: 'TriesAreShared',
      what: 'payments that a facilitator stumbles over have all others refused',
      attack: () => stumbled(true),
      broken: { honest: [503] },
      held: { honest: [200] },
    },
    {
      mutants: 'JunkOpens',
      what: 'junk that a facilitator stumbles over leaves each network one try at a time',
      attack: () => stumbled(false),
      broken: { honest: [200, 503] },
      held: { honest: [200, 200] },
    },
    {
      mutants: 'ReadersAreHurried',
      what: 'a reader who takes nothing within the time for it is let go, and one who takes a little is not',
      attack: taken,
      broken: {
        nothing: { ended: true, whole: false, told: '409 payment_already_delivered' },
        slowly: { ended: true, whole: true, told: '409 payment_already_delivered' },
      },
      held: {
        nothing: { ended: false, whole: false, told: '409 payment_in_progress' },
        slowly: { ended: true, whole: true, told: '409 payment_already_delivered' },
      },
    },
    {
      mutants: 'PartBegins',
      what: 'a short upload that breaks off reaches the origin without a body, and is charged',
      attack: () => without(() => upload('before', SHORT, 'garbage'), 'code'),
      broken: { seen: [true, 0], settled: 1 },
      held: { seen: [true, SHORT], settled: 1 },
    },
    {
      mutants: 'PartIsWhole',
      what: 'a short upload that breaks off is all of it to the origin',
      attack: () => upload('before', SHORT, 'garbage').then(lacking(SHORT)),
      broken: { complete: true, lacks: true, settled: 1 },
      held: { complete: true, lacks: false, settled: 1 },
    },
    {
      mutants: 'BreakIsEnd',
      what: 'a long upload that breaks off is all of it to the origin',
      attack: () => without(() => upload('after', LONG, 'garbage'), 'code'),
      broken: { seen: [true, LONG / 2], settled: 0 },
      held: { seen: [false, LONG / 2], settled: 0 },
    },
    {
      mutants: 'UploadSettles',
      what: 'an upload that breaks off behind the head of its answer is settled',
      attack: () => without(() => upload('after', LONG, 'garbage', stream), 'seen', 'code'),
      broken: { settled: 1 },
      held: { settled: 0 },
    },
    {
      mutants: 'UploadIsAnswered',
      // The platform ends no answer before its request, unless that seems to end, and the gate none before an upload in chunks.
      behind: 'BreakIsEnd AnswersEndUploads',
      what: 'a stored answer to an upload that broke off is a delivery',
      attack: () => without(() => upload('before', LONG, 'garbage', GOOD), 'seen'),
      broken: { code: 'payment_already_delivered', settled: 1 },
      held: { code: 'refund_due', settled: 1 },
    },
    {
      mutants: 'AnswersEndUploads',
      what: 'an upload in chunks that breaks off behind its answer is all of it to the origin',
      attack: () => upload('before', LONG, 'garbage', accepted).then(lacking(LONG)),
      broken: { complete: true, lacks: true, settled: 1 },
      held: { complete: false, lacks: true, settled: 1 },
    },
    {
      mutants: 'UploadsUndoAnswers',
      what: 'who breaks an upload off behind a stream has it, and their money back',
      attack: () => without(() => upload('before', LONG, 'garbage', stream), 'seen'),
      broken: { code: 'refund_due', settled: 1 },
      held: { code: 'payment_already_delivered', settled: 1 },
    },
    {
      mutants: 'StalledUploadsEndAnswers',
      // The time for it is five minutes.
      behind: 'ReadersAreHurried',
      what: 'an upload that nobody reads cuts the answer off that was paid',
      attack: unread,
      broken: { came: false, code: 'refund_due' },
      held: { came: true, code: 'payment_already_delivered' },
    },
    {
      mutants: 'SilenceIsTheOrigins',
      what: 'who never ends an upload has all of an answer without a length, and their money back',
      attack: endless,
      broken: { came: true, code: 'refund_due' },
      held: { came: true, code: 'payment_already_delivered' },
    },
    {
      mutants: 'EndsAreTheWhole',
      what: 'who drips an upload and sends much at the end has most of an answer, and their money back',
      attack: late,
      broken: { came: true, code: 'refund_due' },
      held: { came: true, code: 'payment_already_delivered' },
    },
    {
      mutants: 'StallsAreSilence',
      what: 'who stops reading a feed by the second has the seconds that pass for nothing',
      attack: async () => {
        const { seconds, charged } = await feed.stalls();
        return { isPaid: charged > seconds - 3 };
      },
      broken: { isPaid: false },
      held: { isPaid: true },
    },
    {
      mutants: 'UnwantedSettles',
      what: 'an answer that its origin has taken along is settled',
      attack: unreadable,
      broken: { settled: 1 },
      held: { settled: 0 },
    },
    {
      mutants: 'FreeLosesBody',
      what: 'a request with a payment that is free by now does not pass',
      attack: async () => {
        const target = `/quoted/free-${nextNumber()}`;
        pricer.asks('$0.03', 'free');
        const payment = await pay(freshPayer(), requiredBy(await world.gate.raw('GET', target)));
        const { status } = await send(world, target, payment, { method: 'POST', body: 'b'.repeat(SHORT) });
        return { status, bodies: origin.of(target).map(({ body }) => body.length) };
      },
      broken: { status: 502, bodies: [] },
      held: { status: 200, bodies: [SHORT] },
    },
    {
      mutants: 'OddStatusPasses',
      what: 'an origin with a status that ends no answer is an error of ours',
      attack: odd,
      broken: { told: 'internal', neighbour: 200 },
      held: { told: 'origin_failed', neighbour: 200 },
    },
    {
      mutants: 'OddStatusPasses AnswerThrows',
      what: 'an answer that the platform does not have ends all that stand beside it',
      attack: odd,
      broken: { told: 'internal', neighbour: 500 },
      held: { told: 'origin_failed', neighbour: 200 },
    },
    {
      mutants: 'LossIsUnnoticed',
      what: 'an instance that ends is not made anew, and nobody in it is told',
      attack: async () => {
        const target = `/after/lost-${nextNumber()}`;
        const payment = await payFor(world, target);
        const rest = { headers: [['X-Throw', 'claimed']], timeoutMs: 1_000 } as const;
        const answer = await send(world, target, payment, rest).then(
          ({ status }) => status,
          () => 'none',
        );
        return { answer };
      },
      broken: { answer: 'none' },
      held: { answer: 500 },
    },
    {
      mutants: 'ReceiptsUnlimited',
      what: 'receipts are looked for without an end',
      attack: async () => {
        const rows = [
          ['Idempotency-Key', 's'.repeat(30)],
          ['CF-Connecting-IP', `203.0.113.${nextNumber()}`],
        ] as const;
        const connection = await world.gate.connect();
        const statuses = new Set<number>();
        // Too many in one of two minutes, if a new one begins meanwhile.
        for (let n = 0; n < 2 * PER_MINUTE + 1; n += 1) {
          statuses.add(
            (await connection.send({ method: 'GET', target: `/_farebox/receipts/rcpt_${'a'.repeat(26)}`, headers: rows })).status,
          );
        }
        connection.close();
        return { statuses: [...statuses] };
      },
      broken: { statuses: [404] },
      held: { statuses: [404, 429] },
    },
  ];

  for (const { mutants, behind = 'none', what, attack, broken, held } of CASES) {
    //
    it(`lets through what is refused with it: ${what} (${mutants})`, async () => {
      await plant(behind);
      assert.deepEqual(await attack(), held, 'as it ships');
      await plant(`${mutants} ${behind}`);
      assert.deepEqual(await attack(), broken, mutants);
      expectLost(
        await world.gate.raw('GET', '/after/x', [
          ['X-Mutants', 'none'],
          ['X-Panic', 'gate'],
        ]),
      );
    });
  }

  it('is one of those that are looked for', () => {
    const tried = CASES.flatMap(({ mutants }) => mutants.split(' '));
    assert.deepEqual(
      MUTANTS.map(({ name }) => name).filter((name) => !tried.includes(name)),
      [],
    );
  });

  it('cannot be asked for where the gate is deployed', () => {
    assert.match(readFileSync(`${DRILL}/index.js`, 'utf8'), /mutants/);
    assert.doesNotMatch(readFileSync('build/index.js', 'utf8'), /mutants/);
    const compiled = readFileSync('build/index_bg.wasm').toString('latin1');
    assert.doesNotMatch(compiled, /x-mutants|PartBegins/);
  });
});
