// What one request costs that is worth nothing: targets that can be read in many ways, and proofs that are long and forged.

import { randomBytes } from 'node:crypto';

import { termsOf, x402Payments } from './payments.mjs';
import { compared, expect, measure, median } from './rounds.mjs';
import { startSide } from './sides.mjs';

/** @typedef {import('./load.mjs').Shot} Shot */

/** Most bytes of a proof that are looked at, as base64. */
const PROOF_BYTES = 16 * 1024;
const GOAL_US = 1000;
const SHOTS = 40;
/** One at a time, so that nothing is shared. */
const AT_ONCE = 1;
const WARM_ROUNDS = 4;

/** Most values of what fills a proof, so that just not too many are in it. */
const VALUES = 730;
const most = (/** @type {number} */ values) => Math.min(values, VALUES);

/** Parts of paths whose rewrites come in many orders. */
const TARGETS = {
  'spaces and slashes, encoded twice': ['%2520', '/%253b', '%252f', '/after', '//', 'q'],
  'dots, encoded twice': ['%252e%252e', 'B', '/after', '%ef%bc%8f', '%2e', '/q'],
  'semicolons and dots': ['%253b', '%2e%2e', '%5c', '/after;x', '/q', '%3b'],
  'overlong slashes': ['%c0%af', '%252e%252e', '%252fq', './after', '%255c'],
  'units of UTF-16': ['%25u002f', '%252e', '/after', '%2f', 'q'],
  'control bytes': ['%00', '/after', '%0a', '//', '%20', '...'],
  'letters with marks, circles and look-alikes': ['%C3%A9', 'e%CC%81', '/%E2%93%A1', '%D1%80', '%F0%9D%93%BF', '+', '%EF%AC%83'],
  'streams, sessions and short names': ['::$DATA', '/(S(a))', '(A(b)S(c))', 'after~1', '+', '/q', '%3A'],
  'open brackets and colons': ['(S(', ':', '(', '/after', '~1'],
  'encoded three times': ['%25252f', '/after', 'q'],
};

/**
 * The same path for everybody: parts in an order that depends on nothing but their number.
 *
 * @param {string[]} parts
 * @param {number} bytes
 */
function target(parts, bytes) {
  let path = '/after';
  for (let turn = 7; path.length < bytes; turn = (turn * 16_807) % 2_147_483_647) path += parts[turn % parts.length];
  // No escape is cut in two.
  return path.slice(0, bytes).replace(/%[0-9a-fu]{0,1}$/, '');
}

/**
 * Fields whose names or values could be compared with each other, as many as a platform takes.
 *
 * @type {Record<string, Record<string, string>>}
 */
const FIELDS = {
  'as many as are read, and as many names in Connection': {
    connection: Array.from({ length: 250 }, (_, index) => `h${index}`).join(','),
    ...many(240),
  },
  'one thousand': many(1_000),
  'thousands of names in Connection': { connection: Array.from({ length: 10_000 }, (_, index) => `h${index}`).join(',') },
  'one of 60,000 bytes': { 'x-text': 'x'.repeat(60_000) },
  'a long Accept list': { 'user-agent': 'Mozilla/5.0', accept: 'a/b;q=0.1,'.repeat(250) },
  'a long Authorization list': { authorization: 'a b, '.repeat(250) },
  'a long Accept-Payment list': { 'accept-payment': 'a/b;q=0.1,'.repeat(250) },
  'a list of 12,000': { authorization: 'a b, '.repeat(12_000) },
};

/**
 * So many fields.
 *
 * @param {number} count
 */
function many(count) {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '1']));
}

/**
 * What fills a proof up to its limit, by what it is made of.
 *
 * @type {Record<string, (bytes: number) => unknown>}
 */
const FILLS = {
  'many members': (bytes) =>
    Object.fromEntries(Array.from({ length: most(bytes / 11) }, (_, index) => [index.toString(36).padStart(4, 'x'), 0])),
  'members with long names': (bytes) =>
    Object.fromEntries(Array.from({ length: bytes / 210 }, (_, index) => [`${'x'.repeat(200)}${index}`, 0])),
  'many values': (bytes) => Array.from({ length: most(bytes / 2 - 2) }, () => 1),
  'many objects': (bytes) => Array.from({ length: most(bytes / 8 - 2) / 2 }, () => ({ a: 1 })),
  'many fractions': (bytes) => Array.from({ length: bytes / 22 - 2 }, () => 1.234567890123456e-7),
  'one long text': (bytes) => 'x'.repeat(bytes),
  'one text of escapes': (bytes) => '\u0001'.repeat(bytes / 6),
};

/**
 * Proofs as large as they may be, forged: the signature is somebody else's, or the terms are others.
 *
 * @param {{resource: unknown, terms: any}} required
 * @returns {Promise<[name: string, shot: Shot][]>}
 */
async function proofs(required) {
  const [forged] = await x402Payments(required, 1, 'forged');
  const payment = JSON.parse(Buffer.from(String(forged?.['payment-signature']), 'base64').toString());
  const room = (PROOF_BYTES * 3) / 4 - JSON.stringify(payment).length - 40;
  /** @type {(message: unknown) => Shot} */
  const shown = (message) => {
    const value = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)).toString('base64');
    expect(value.length <= PROOF_BYTES, `a proof of ${value.length} bytes is too long to be looked at`);
    return { path: '/after', headers: { 'payment-signature': value } };
  };
  /** @type {[string, Shot][]} */
  const all = [['as short as they are', shown(payment)]];
  for (const [name, fill] of Object.entries(FILLS)) {
    const extensions = { junk: fill(room) };
    all.push([`${name}, a forged signature`, shown({ ...payment, extensions })]);
    all.push([`${name}, other terms`, shown({ ...payment, extensions, accepted: { ...payment.accepted, amount: '1' } })]);
  }
  all.push(['more values than are read', shown({ ...payment, extensions: { junk: Array.from({ length: room / 2 - 2 }, () => 1) } })]);
  const powers = JSON.stringify({ ...payment, extensions: { junk: '@' } }).replace(
    '"@"',
    `[${Array(most(room / 7))
      .fill('9e-362')
      .join(',')}]`,
  );
  all.push(['numbers with powers of ten', shown(powers)]);
  all.push(['brackets', shown('['.repeat((PROOF_BYTES * 3) / 4))], ['objects in objects', shown(`${'{"a":'.repeat(2_400)}1`)]);
  all.push(['digits', shown(`{"x402Version":${'9'.repeat(12_000)}}`)]);
  const token = (/** @type {unknown} */ message) => Buffer.from(JSON.stringify(message)).toString('base64url');
  const challenge = {
    id: randomBytes(32).toString('base64url'),
    realm: 'localhost',
    method: 'evm',
    intent: 'charge',
    request: token({ amount: '1' }),
  };
  const credential = {
    challenge,
    payload: { type: 'authorization', signature: '0x00' },
    source: 'x'.repeat(200),
    more: FILLS['many members']?.(11_000),
  };
  all.push(['a credential of MPP', { path: '/after', headers: { authorization: `Payment ${token(credential)}` } }]);
  return all;
}

/**
 * Processor time of each, one at a time, beside that of a Worker that does nothing with it, and where it is forwarded,
 * of one that does nothing else. The goal is about the difference.
 *
 * @param {import('./scenarios.mjs').Stage} stage
 * @returns {Promise<import('./scenarios.mjs').Line[]>}
 */
export async function badRequests({ gate, proxy, backend, choice, rounds }) {
  const empty = await startSide('an empty Worker', backend, choice);
  const asked = await gate.client.send({ path: '/after', headers: {} });
  const cases = [];
  for (const [name, shot] of await all(termsOf(asked.headers['payment-required']))) {
    const { status, text } = await gate.client.send(shot);
    expect([200, 400, 402, 431].includes(status), `bad-requests, ${name}: answered ${status}: ${text.slice(0, 200)}`);
    const sides = [gate, status === 200 ? proxy : empty];
    cases.push({
      name: `bad-requests, ${name}, ${status}`,
      sides,
      shots: Array.from({ length: SHOTS }, () => shot),
      costs: sides.map(() => /** @type {number[]} */ ([])),
    });
  }
  // What else the machine does in one of the rounds concerns all cases alike.
  for (let round = 0; round < WARM_ROUNDS + rounds; round += 1) {
    for (const { sides, shots, costs } of cases) {
      for (const [index, side] of sides.entries()) {
        const { cpuUs } = await measure(side, shots, AT_ONCE);
        if (round >= WARM_ROUNDS) costs[index]?.push(cpuUs);
      }
    }
  }
  empty.client.close();
  return cases.map(({ name, sides, costs: [ours = [], floor = []] }) => {
    const above = median(ours.map((cost, round) => cost - (floor[round] ?? Number.NaN)));
    const goal = `≤ ${GOAL_US} µs more (${above.toFixed(0)})`;
    return { scenario: name, unit: 'µs', peer: sides[1]?.name ?? '', ...compared(ours, floor), goal, met: above <= GOAL_US };
  });
}

/**
 * All of them by name.
 *
 * @param {{resource: unknown, terms: any}} required
 * @returns {Promise<[name: string, shot: Shot][]>}
 */
async function all(required) {
  /** @type {[string, Shot][]} */
  const shots = [['unpaid, to compare', { path: '/after', headers: {} }]];
  for (const [name, parts] of Object.entries(TARGETS)) {
    for (const bytes of [600, 4_000, 15_000]) shots.push([`path, ${name}, ${bytes} bytes`, { path: target(parts, bytes), headers: {} }]);
  }
  for (const [name, headers] of Object.entries(FIELDS)) shots.push([`fields, ${name}`, { path: '/after', headers }]);
  for (const [name, shot] of await proofs(required)) shots.push([`proof, ${name}`, shot]);
  return shots;
}
