/** The security vectors of MPP credentials in request headers, through the running gate, each with a fresh payment inside. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import type { JsonObject } from '../support/mpp-wire.ts';
import { mppFor, type Paid } from './support/mpp.ts';
import type { HeaderRow } from './support/raw.ts';
import { callsOf, expectNextGoodRequest, jsonOf, openWorld, type World } from './support/world.ts';

type HeaderCase = {
  readonly name: string;
  readonly class: string;
  readonly expect: 'accept' | 'reject' | 'challenge' | 'either';
  readonly headers: readonly HeaderRow[];
};

const cases = (
  JSON.parse(readFileSync(new URL('../vectors/security/headers_request.json', import.meta.url), 'utf8')) as { cases: readonly HeaderCase[] }
).cases.filter((vector) => vector.class === 'mpp_authorization');

/** The reference reads the other alphabet and its padding, and other clients write it; what is read has one key in any spelling. */
const READ_LIBERALLY = ['mpp-std-alphabet'];
const CANONICAL = tokenIn(cases.find(({ name }) => name === 'mpp-canonical')?.headers[0]?.[1] ?? '');
const RECORDED = decoded(CANONICAL);

//
describe('header vectors of MPP', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  for (const vector of cases) {
    it(`${vector.name}: ${vector.expect}`, async () => {
      const path = `/after/${vector.name}`;
      const payment = await mppFor(world, path);
      const connection = await world.gate.connect();
      const answer = await connection.send({ method: 'GET', target: path, headers: fresh(vector, payment) });
      const said = `${answer.status} ${answer.text.slice(0, 300)}`;
      const calls = callsOf(world, payment.payer, path);
      const expected = READ_LIBERALLY.includes(vector.name) ? 'either' : vector.expect;
      if (expected === 'accept' || (expected === 'either' && answer.status === 200)) {
        assert.equal(answer.status, 200, said);
        assert.deepEqual(calls, { verify: 1, settle: 1, origin: 1 });
      } else {
        if (expected === 'challenge') assert.deepEqual([answer.status, jsonOf(answer)['code']], [402, 'payment_required'], said);
        else assert.ok([400, 402, 414, 431].includes(answer.status), said);
        assert.deepEqual(calls, { verify: 0, settle: 0, origin: 0 });
      }
      await expectNextGoodRequest(world, connection);
      connection.close();
    });
  }

  it('every case that holds a credential holds ours', async () => {
    const payment = await mppFor(world, '/after/inside');
    const held = cases.filter((vector) =>
      fresh(vector, payment).some(([, value]) => {
        const tokens = [...value.matchAll(/[\w+/-]{64,}/g)].map(([token]) => decodedText(token.replace(/^Payment/, '')));
        return [value, ...tokens].some((text) => text.includes(payment.challenge.id) || text.includes(payment.signature));
      }),
    );
    const empty = ['mpp-no-token', 'mpp-no-token-space', 'mpp-empty-json', 'mpp-basic-scheme'];
    assert.deepEqual(
      cases.map(({ name }) => name).filter((name) => !held.some((vector) => vector.name === name)),
      empty,
    );
  });
});

/** The headers of a case with our payment in the place of the recorded one. */
function fresh(vector: HeaderCase, payment: Paid): HeaderRow[] {
  const ours = ourToken(payment);
  return vector.headers.map(([name, value], index): HeaderRow => {
    switch (vector.name) {
      case 'mpp-padded':
        return [name, `Payment ${ours.padEnd(Math.ceil(ours.length / 4) * 4, '=')}`];
      case 'mpp-length-mod-4-is-1':
        return [name, `Payment ${ours.slice(0, Math.floor((ours.length - 1) / 4) * 4)}A`];
      case 'mpp-newline-inside':
        return [name, `Payment ${ours.slice(0, 48)}\n${ours.slice(48)}`];
      case 'mpp-two-credentials':
        return [name, `Payment ${ours}, Payment ${ours.slice(0, -8)}`];
      case 'mpp-two-header-lines':
        return [name, `Payment ${index === 0 ? ours : ours.slice(0, -8)}`];
      case 'mpp-std-alphabet':
        return [name, `Payment ${inStandardAlphabet(swapped(decodedText(tokenIn(value)), payment))}`];
      default:
        if (value.includes(CANONICAL)) return [name, value.replaceAll(CANONICAL, ours)];
        return [name, value.startsWith('Payment {') ? swapped(value, payment) : respelled(value, payment)];
    }
  });
}

function ourToken(payment: Paid): string {
  return encoded(swapped(decodedText(CANONICAL), payment));
}

/** A value whose token holds recorded members. */
function respelled(value: string, payment: Paid): string {
  const token = tokenIn(value);
  const text = token === '' ? '' : decodedText(token);
  const ours = swapped(text, payment);
  return ours === text ? value : value.replace(token, encoded(ours));
}

/** Every recorded member in a text replaced by ours. */
function swapped(text: string, { challenge, message }: Paid): string {
  const [old, now] = [RECORDED['challenge'] as JsonObject, RECORDED['payload'] as JsonObject];
  const pairs: [unknown, unknown][] = [
    ...(['realm', 'request', 'expires', 'id'] as const).map((name): [unknown, unknown] => [old[name], challenge[name]]),
    ...['signature', 'from', 'to', 'validAfter', 'validBefore', 'nonce'].map((name): [unknown, unknown] => [
      now[name],
      message.payload[name],
    ]),
  ];
  return pairs.reduce((current, [recorded, ours]) => current.replaceAll(`"${String(recorded)}"`, `"${String(ours)}"`), text);
}

/** Base64 with characters that the other alphabet does not have. */
function inStandardAlphabet(text: string): string {
  for (const spaces of ['', ' ', '  ']) {
    const value = Buffer.from(text.replace(/}$/, `${spaces}}`)).toString('base64');
    if (/[+/]/.test(value)) return value;
  }
  throw new Error('every spelling is the same in both alphabets');
}

function tokenIn(value: string): string {
  return /^\S+\s+(\S+)$/.exec(value)?.[1] ?? '';
}

function encoded(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

function decodedText(token: string): string {
  return Buffer.from(token, 'base64url').toString('utf8');
}

function decoded(token: string): JsonObject {
  return JSON.parse(decodedText(token)) as JsonObject;
}
