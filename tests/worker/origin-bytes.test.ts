/**
 * An origin whose answers are no good HTTP: whatever it sends, each request is answered, nobody else's is lost, and the
 * next one works.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type Random, randomOf } from '../pkg/random.ts';
import type { Answer } from './support/raw.ts';
import { type Bytes, GOOD_BODY, openRawWorld, type RawOrigin } from './support/raw-origin.ts';
import { expectProblem, payFor, send, type World } from './support/world.ts';

const SEED = Number(process.env['FAREBOX_ORIGIN_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const CASES = Number(process.env['FAREBOX_ORIGIN_CASES'] ?? 120);

/** Cases played beside each other. */
const AT_ONCE = 4;

/** A free path that the entry forwards by itself, one that the compiled gate forwards, and both ways to be paid. */
const PLACES = ['/plain', '/Compiled', '/after', '/before'] as const;
const FREE = /^\/(plain|Compiled)/;

describe('an origin that answers', () => {
  let world: World;
  let origin: RawOrigin;
  before(async () => {
    ({ world, origin } = await openRawWorld());
  });
  after(() => world.stop());

  const ask = async (target: string): Promise<Answer> =>
    send(world, target, FREE.test(target) ? undefined : await payFor(world, target), { timeoutMs: 10_000 });

  for (const status of ['100', '101', '103', '199', '600', '700', '999', '1000', '0', '000', '99']) {
    //
    it(`with the status ${status} has failed, and the next request works`, async () => {
      for (const place of PLACES) {
        const path = `${place}/status-${status}`;
        origin.script(path, plain(`HTTP/1.1 ${status} Odd\r\nContent-Length: 2\r\n\r\nok`));
        const answer = await ask(path);
        const code = place === '/before' ? 'refund_due' : 'origin_failed';
        expectProblem(answer, { status: 502, code });
        const next = await ask(`${place}/next`);
        assert.deepEqual([next.status, next.text], [200, GOOD_BODY], path);
      }
    });
  }

  // I-21
  it(`with chance bytes gives an answer to each request (seed ${SEED}, ${CASES} cases)`, async () => {
    const random = randomOf(SEED);
    const replies = Array.from({ length: CASES }, () => replyOf(random));
    const play = async (n: number, reply: Bytes): Promise<void> => {
      const said = `seed ${SEED}, case ${n}: ${JSON.stringify(reply.pieces.map((piece) => piece.toString('latin1')))} ${reply.then} ${reply.everyMs}`;
      await Promise.all(
        PLACES.map(async (place) => {
          const path = `${place}/case-${n}`;
          origin.script(path, reply);
          const answer = await ask(path).catch((error: unknown) => assert.fail(`${place}, ${said}: ${error}`));
          assert.ok(answer.status >= 200 && answer.status < 600, `${place}, ${said}: ${answer.status}`);
          assert.ok(!/urn:farebox:problem:(internal|not_configured)/.test(answer.text), `${place}, ${said}: ${answer.text}`);
          const good = () => ask(`${place}/next-${n}`).catch((error: unknown) => assert.fail(`next ${place}, ${said}: ${error}`));
          // An origin that breaks off its own connection takes the requests along that the platform had put on it, those of other
          // cases too.
          let last = await good();
          for (let turn = 0; turn < 20 && last.status === 502; turn += 1) last = await good();
          assert.deepEqual([last.status, last.text], [200, GOOD_BODY], `${place}, ${said}`);
        }),
      );
    };
    const waiting = [...replies.entries()];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await play(...next);
      }),
    );
  });
});

function plain(text: string): Bytes {
  return { pieces: [Buffer.from(text, 'latin1')] };
}

const STATUSES = [
  '200',
  '200',
  '200',
  '201',
  '204',
  '205',
  '206',
  '301',
  '304',
  '404',
  '500',
  '100',
  '101',
  '103',
  '199',
  '299',
  '599',
  '600',
  '999',
  '1000',
  '20',
  '-1',
  '2x0',
  '65736',
  '',
];
const NAMES = [
  'Content-Type',
  'X-A',
  'x_b',
  'Set-Cookie',
  'Location',
  'WWW-Authenticate',
  'Farebox-Payer',
  'Content-Encoding',
  'Cache-Control',
  'Vary',
  'a b',
  'x:y',
  '(x)',
  '',
  'x\u00e9',
  '\u0000',
  'Connection',
  'Transfer-Encoding',
  'Content-Length',
  'Access-Control-Expose-Headers',
  'Trailer',
  'Upgrade',
  'X-Correlation-Id',
  '__proto__',
  'Date',
];
const VALUES = [
  'x',
  '',
  ' ',
  '\u00ff\u00fe',
  '\u0000',
  'a\rb',
  'a\tb',
  '\u00c3\u00a9',
  'gzip',
  'br',
  'chunked',
  'identity',
  '5',
  '-5',
  '99999999999999999999',
  'close',
  'websocket',
  '*',
  'public, max-age=60',
  'Payment id="x"',
  'http://127.0.0.1/',
  '\u007f',
  'a'.repeat(9000),
  '"',
  '=?utf-8?q?x?=',
];
const BODIES = [
  '',
  'ok',
  '{"a":1}',
  '\u0000\u00ff\u00fe',
  '5\r\nhello\r\n0\r\n\r\n',
  'zz\r\nhello',
  'HTTP/1.1 200 OK\r\n\r\nagain',
  '5\r\nhel',
  'x'.repeat(70_000),
  '0\r\n\r\n',
];

/** An answer that is wrong in some way, or in several, or in none. */
function replyOf(random: Random): Bytes {
  const line = random.pick([
    ...Array.from({ length: 12 }, () => `HTTP/1.1 ${random.pick(STATUSES)} Words`),
    `HTTP/1.0 ${random.pick(STATUSES)} Words`,
    `HTTP/2 ${random.pick(STATUSES)}`,
    `ICY 200 OK`,
    '',
    'HTTP/1.1 200',
    `HTTP/1.1  200 OK`,
    random.bytes(12).toString('latin1'),
  ]);
  const body = random.pick(BODIES);
  const rows = Array.from({ length: random.below(4) }, () => `${random.pick(NAMES)}: ${random.pick(VALUES)}`);
  const framing = random.pick([
    [`Content-Length: ${body.length}`],
    [`Content-Length: ${body.length}`],
    ['Transfer-Encoding: chunked'],
    [],
    ['Content-Length: 7'],
    [`Content-Length: ${body.length}`, 'Content-Length: 9'],
  ]);
  const eol = random.pick(['\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r']);
  const early = random.pick(['', '', '', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', 'HTTP/1.1 100 Continue\r\n\r\n']);
  const text = Buffer.from(`${early}${[line, ...rows, ...framing, 'Connection: close'].join(eol)}${eol}${eol}${body}`, 'latin1');
  const cut = random.below(6) === 0 ? random.below(text.length + 1) : text.length;
  const sent = text.subarray(0, cut);
  // What comes behind the end of an answer comes with it: later, the platform would read it as the next answer.
  const isExact = framing.length === 1 && framing[0] === `Content-Length: ${body.length}` && /^HTTP\/1\.[01] (200|201|404|500) /.test(line);
  const at = random.below(isExact ? sent.length + 1 : Math.min(sent.length + 1, text.length - body.length));
  const pieces = random.below(2) === 0 ? [sent] : [sent.subarray(0, at), sent.subarray(at)];
  const then = random.pick(['close', 'close', 'close', 'close', 'reset', 'hang'] as const);
  return { pieces, everyMs: random.pick([0, 0, 20]), then };
}
