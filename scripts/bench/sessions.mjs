// Requests paid by session: a voucher for each, beside payments by themselves at the same gate and at `@x402/hono`.
//
// One channel pays for one request after the other. Many channels do so side by side. What a voucher takes is the processor time of
// such a request less that of a free one, which is forwarded as well.

import { randomBytes } from 'node:crypto';
import { encodeAbiParameters, hashTypedData, keccak256 } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { CHAIN_ID } from './payments.mjs';
import { compared, expect, median, playRounds, quotients } from './rounds.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */
/** @typedef {import('./load.mjs').Shot} Shot */
/** @typedef {import('./sides.mjs').Side} Side */
/** @typedef {{cpuUs: number, perSecond: number, times: number[]}} Played */

/**
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function sessions({ gate, hono, two, backend, rounds }) {
  backend.delay(0, 0);
  const channels = await Promise.all(Array.from({ length: CHANNELS }, () => openChannel(gate)));
  const [first, unchecked] = [channels[0], await openChannel(gate)];
  if (first === undefined) return [];
  const vouchers = async (/** @type {typeof channels} */ of, /** @type {number} */ count) =>
    Promise.all(of.map((channel) => channel.shots(count)));
  const before = backend.counts();
  const free = () => [Array.from({ length: CALLS }, () => ({ path: '/free', headers: {} }))];
  /** @type {{name: string, side: Side, of: () => Promise<Shot[][]>}[]} */
  const plays = [
    { name: 'one channel', side: gate, of: () => vouchers([first], CALLS) },
    { name: 'free', side: gate, of: async () => free() },
    { name: 'many channels', side: gate, of: () => vouchers(channels, CALLS / 4) },
    { name: 'exact', side: gate, of: async () => dealt(await gate.paid('/after', CALLS), CHANNELS) },
    { name: two.name, side: two, of: () => vouchers([unchecked], CALLS) },
    { name: hono.name, side: hono, of: async () => dealt(await hono.paid('/after', CALLS), CHANNELS) },
  ];
  const play = async (/** @type {Side & {of: () => Promise<Shot[][]>}} */ { of, ...side }) => played(side, await of());
  const sides = plays.map(({ name, side, of }) => ({ ...side, name, of }));
  await playRounds(sides, 1, play);
  const [one = [], plain = [], many = [], exact = [], floor = [], peer = []] = await playRounds(sides, rounds, play);
  const after = backend.counts();
  expect(after.verify - before.verify === (rounds + 1) * 2 * CALLS, `sessions: ${after.verify - before.verify} payments were verified`);
  const of = (/** @type {Played[]} */ all, /** @type {keyof Omit<Played, 'times'>} */ what) => all.map((each) => each[what]);
  const times = one.flatMap((each) => each.times).sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => times[Math.floor(times.length * share)] ?? Number.NaN;
  const cost = one.map(({ cpuUs }, round) => cpuUs - (plain[round]?.cpuUs ?? 0));
  const rate = quotients(of(many, 'perSecond'), of(exact, 'perSecond'));
  return [
    { scenario: 'session, processor time of a voucher', unit: 'µs', ours: median(cost), goal: '≤ 400 µs', met: median(cost) <= 400 },
    {
      scenario: 'session, a request',
      unit: 'µs',
      peer: 'exact',
      ...compared(of(one, 'cpuUs'), of(exact, 'cpuUs'), { inverse: true }),
      goal: '',
      met: null,
    },
    {
      scenario: 'session, a request',
      unit: 'µs',
      peer: two.name,
      ...compared(of(one, 'cpuUs'), of(floor, 'cpuUs'), { inverse: true }),
      goal: '',
      met: null,
    },
    {
      scenario: 'session, a request',
      unit: 'µs',
      peer: hono.name,
      ...compared(of(one, 'cpuUs'), of(peer, 'cpuUs'), { inverse: true }),
      goal: '',
      met: null,
    },
    { scenario: 'session, answer at one channel, median', unit: 'ms', ours: at(0.5), goal: '', met: null },
    { scenario: 'session, answer at one channel, 99 of 100', unit: 'ms', ours: at(0.99), goal: '', met: null },
    { scenario: 'session, one channel', unit: '/s', ours: median(of(one, 'perSecond')), goal: '', met: null },
    {
      scenario: `session, ${CHANNELS} channels`,
      unit: '/s',
      peer: 'exact',
      ...compared(of(many, 'perSecond'), of(exact, 'perSecond')),
      goal: '≥ 3×',
      met: rate.median >= 3,
    },
    {
      scenario: `session, ${CHANNELS} channels`,
      unit: '/s',
      peer: hono.name,
      ...compared(of(many, 'perSecond'), of(peer, 'perSecond')),
      goal: '',
      met: null,
    },
  ];
}

/**
 * Sends each list one after the other, the lists side by side.
 *
 * @param {Side} side
 * @param {Shot[][]} lists
 * @returns {Promise<Played>}
 */
async function played(side, lists) {
  const before = side.processor.nanoseconds();
  const start = performance.now();
  const answers = (await Promise.all(lists.map((shots) => side.client.all(shots, 1)))).flat();
  const perSecond = (answers.length * 1000) / (performance.now() - start);
  for (const { status, text } of answers) expect(status === 200, `sessions: ${side.name} answered ${status}: ${text.slice(0, 300)}`);
  await new Promise((resolve) => setTimeout(resolve, 25));
  return {
    perSecond,
    cpuUs: (side.processor.nanoseconds() - before) / 1000 / answers.length,
    times: answers.map(({ totalMs }) => totalMs),
  };
}

/**
 * @param {Shot[]} shots
 * @param {number} hands
 */
function dealt(shots, hands) {
  return Array.from({ length: hands }, (_, hand) => shots.filter((_, index) => index % hands === hand));
}

/**
 * Opens a channel at the gate: the first request deposits.
 *
 * @param {Side} gate
 */
export async function openChannel({ client }) {
  const account = privateKeyToAccount(generatePrivateKey());
  const asked = await client.send({ path: '/session', headers: {} });
  const { resource, accepts } = JSON.parse(Buffer.from(String(asked.headers['payment-required']), 'base64').toString('utf8'));
  const accepted = accepts.find((/** @type {{scheme: string}} */ { scheme }) => scheme === 'batch-settlement');
  const { amount, asset, payTo, extra, maxTimeoutSeconds } = accepted;
  const channelConfig = {
    payer: account.address,
    payerAuthorizer: account.address,
    receiver: payTo,
    receiverAuthorizer: extra.receiverAuthorizer,
    token: asset,
    withdrawDelay: extra.withdrawDelay,
    salt: /** @type {const} */ (`0x${'0'.repeat(64)}`),
  };
  const channelId = hashTypedData({ domain: DOMAIN, types: CONFIG, primaryType: 'ChannelConfig', message: channelConfig });
  let charged = 0n;
  const signed = async () => {
    charged += BigInt(amount);
    const signature = await account.signTypedData({
      domain: DOMAIN,
      types: VOUCHER,
      primaryType: 'Voucher',
      message: { channelId, maxClaimableAmount: charged },
    });
    return { channelId, maxClaimableAmount: String(charged), signature };
  };
  const shot = (/** @type {object} */ payload) => ({
    path: '/session',
    headers: {
      'payment-signature': Buffer.from(
        JSON.stringify({ x402Version: 2, resource, accepted, payload: { channelConfig, ...payload } }),
      ).toString('base64'),
    },
  });
  const salt = /** @type {`0x${string}`} */ (`0x${randomBytes(32).toString('hex')}`);
  const nonce = keccak256(encodeAbiParameters([{ type: 'bytes32' }, { type: 'uint256' }], [channelId, BigInt(salt)]));
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + maxTimeoutSeconds);
  const signature = await account.signTypedData({
    domain: { name: extra.name, version: extra.version, chainId: CHAIN_ID, verifyingContract: asset },
    types: RECEIVE,
    primaryType: 'ReceiveWithAuthorization',
    message: { from: account.address, to: COLLECTOR, value: DEPOSIT, validAfter: 0n, validBefore, nonce },
  });
  const authorization = { erc3009Authorization: { validAfter: '0', validBefore: String(validBefore), salt, signature } };
  const opened = await client.send(shot({ type: 'deposit', voucher: await signed(), deposit: { amount: String(DEPOSIT), authorization } }));
  expect(opened.status === 200, `sessions: a deposit was answered ${opened.status}: ${opened.text.slice(0, 300)}`);
  return {
    /** @param {number} count */
    shots: async (count) => {
      const all = [];
      for (let index = 0; index < count; index += 1) all.push(shot({ type: 'voucher', voucher: await signed() }));
      return all;
    },
  };
}

const CALLS = 200;
const CHANNELS = 16;
const DEPOSIT = 1_000_000_000n;
const COLLECTOR = '0x4020806089470a89826cB9fB1f4059150b550004';
const DOMAIN = /** @type {const} */ ({
  name: 'x402 Batch Settlement',
  version: '1',
  chainId: CHAIN_ID,
  verifyingContract: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
});
const VOUCHER = /** @type {const} */ ({
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
  ],
});
const CONFIG = /** @type {const} */ ({
  ChannelConfig: [
    { name: 'payer', type: 'address' },
    { name: 'payerAuthorizer', type: 'address' },
    { name: 'receiver', type: 'address' },
    { name: 'receiverAuthorizer', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'withdrawDelay', type: 'uint40' },
    { name: 'salt', type: 'bytes32' },
  ],
});
const RECEIVE = /** @type {const} */ ({
  ReceiveWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
});
