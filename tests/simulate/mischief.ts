// Those with other plans: they sign for terms of their own, show what others have paid, speak in others' names, or say nothing sensible.

import { type Hex, keccak256, toHex } from 'viem';

import type { Random } from '../pkg/random.ts';
import { payMpp } from '../support/mpp-payer.ts';
import { challengeOf, credential } from '../support/mpp-wire.ts';
import { encode, type JsonObject, type PayOptions, pay } from '../worker/support/payer.ts';
import type { HeaderRow } from '../worker/support/raw.ts';
import { PAY_TO } from '../worker/support/world.ts';
import { type Person, PROTOCOLS, termsIn, VALID_FOR_SECS } from './people.ts';
import type { World } from './world.ts';

/** A good signature under something that the gate has not asked for. */
export async function cheat(world: World, random: Random, person: Person, target: string): Promise<void> {
  const { name, payer, address } = person;
  const side = random.pick(['gate', 'beside'] as const);
  const now = Math.floor(Date.now() / 1000);
  const [what, members] = random.pick([
    ['one unit to themselves', { to: payer.address, value: '1' }],
    ['the price to themselves', { to: payer.address }],
    ['one unit', { value: '1' }],
    ['almost the price', { value: '9999' }],
    ['what has ended', { validBefore: String(now - 5) }],
    ['what begins later', { validAfter: String(now + 3_600) }],
    ['as they are asked', {}],
  ] as const);
  const signed: Readonly<Record<string, string>> = { validBefore: String(now + VALID_FOR_SECS), ...members };
  const [protocol, accepts, nonce] = [random.pick(PROTOCOLS), random.below(2) === 0, `0x${random.bytes(32).toString('hex')}` as const];
  const asked = await world.request({ who: name, what: 'asks', side, target, address });
  const required = termsIn(asked);
  if (required === undefined) return;
  // Denied payers cheats by paying as anybody does; others by something else.
  if (protocol === 'mpp' || protocol === 'mpp, listed') {
    const framing = protocol === 'mpp' ? 'joined' : 'listed';
    const payment = await payMpp(payer.account, challengeOf(asked.headers['www-authenticate']), { framing, signed });
    await world.request({ who: name, what, side, target, address, nonce: payment.nonce, headers: [['Authorization', payment.value]] });
    return;
  }
  // The message says that these were the terms, too.
  const tamper: PayOptions['tamper'] = (message) => {
    const accepted = message['accepted'] as JsonObject | undefined;
    if (accepts && accepted !== undefined)
      message['accepted'] = {
        ...accepted,
        amount: signed['value'] ?? accepted['amount'] ?? '',
        payTo: signed['to'] ?? accepted['payTo'] ?? '',
      };
  };
  const { row } = await pay(payer, required, { version: protocol === 'v1' ? 1 : 2, nonce, signed, tamper });
  await world.request({ who: name, what, side, target, address, nonce, headers: [row] });
}

/** What the chain shows of another's payment, for something else or for the same. */
export async function replay(world: World, random: Random, { name, address }: Person, target: string): Promise<void> {
  const side = random.pick(['gate', 'beside'] as const);
  const [which, protocol, own] = [random.below(1_000), random.pick(['v1', 'v2', 'mpp'] as const), random.below(2) === 0];
  const used = world.chain.transfers.filter(({ calldata }) => calldata !== undefined);
  const calldata = used[which % Math.max(1, used.length)]?.calldata;
  if (calldata === undefined) return;
  const shown = world.exchanges.find(({ nonce }) => nonce === calldata.authorization.nonce.toLowerCase());
  const wanted = own || shown === undefined ? target : shown.target;
  const asked = await world.request({ who: name, what: 'asks', side, target: wanted, address });
  const required = termsIn(asked);
  if (required === undefined) return;
  const rows: Readonly<Record<typeof protocol, () => HeaderRow>> = {
    v1: () => encode(JSON.stringify({ x402Version: 1, scheme: 'exact', network: 'base-sepolia', payload: calldata }), 1),
    v2: () => encode(JSON.stringify({ x402Version: 2, payload: calldata, resource: required.resource, accepted: required.accepts[0] })),
    mpp: () => [
      'Authorization',
      credential({
        challenge: challengeOf(asked.headers['www-authenticate']),
        payload: { type: 'authorization', ...calldata.authorization, signature: calldata.signature },
      }),
    ],
  };
  const headers: readonly HeaderRow[] = [rows[protocol](), ['Idempotency-Key', `replayed-by-a-rogue-${which}-0123456789`]];
  await world.request({ who: name, what: 'replays', side, target: wanted, address, nonce: calldata.authorization.nonce, headers });
}

/** A payment in the name of another, with a signature that is not theirs, or a hash of nothing. */
export async function forge(world: World, random: Random, { name, payer, address }: Person, victim: Person, target: string): Promise<void> {
  const side = random.pick(['gate', 'beside'] as const);
  const [protocol, nonce] = [
    random.pick(['v1', 'v2', 'mpp', 'hash', 'transaction'] as const),
    `0x${random.bytes(32).toString('hex')}` as Hex,
  ];
  const asked = await world.request({ who: name, what: 'asks', side, target, address });
  const required = termsIn(asked);
  if (required === undefined) return;
  const challenge = challengeOf(asked.headers['www-authenticate']);
  const source = `did:pkh:eip155:84532:${victim.payer.address}`;
  const rows: Readonly<Record<typeof protocol, () => Promise<HeaderRow>>> = {
    v1: async () => (await pay(payer, required, { version: 1, nonce, signed: { from: victim.payer.address } })).row,
    v2: async () => (await pay(payer, required, { nonce, signed: { from: victim.payer.address } })).row,
    mpp: async () => ['Authorization', (await payMpp(payer.account, challenge, { signed: { from: victim.payer.address }, source })).value],
    hash: async () => ['Authorization', credential({ challenge, payload: { type: 'hash', hash: nonce }, source })],
    transaction: async () => [
      'Authorization',
      credential({ challenge, payload: { type: 'transaction', signature: `0x02f8${nonce.slice(2)}` }, source }),
    ],
  };
  await world.request({ who: name, what: `claims to be ${victim.name}`, side, target, address, nonce, headers: [await rows[protocol]()] });
}

/** Nothing that could be a payment. */
export async function junk(world: World, random: Random, { name, address }: Person, target: string): Promise<void> {
  const header = random.pick(['PAYMENT-SIGNATURE', 'X-PAYMENT', 'Authorization', 'Payment-Authorization', 'Farebox-Redelivery'] as const);
  const bytes = random.bytes(random.pick([1, 40, 400, 4_000]));
  const text = random.pick([
    bytes.toString('base64'),
    Buffer.from(`${'['.repeat(200)}${']'.repeat(200)}`).toString('base64'),
    Buffer.from(JSON.stringify({ x402Version: 2, payload: { authorization: { from: PAY_TO, nonce: keccak256(toHex(bytes)) } } })).toString(
      'base64',
    ),
  ]);
  await world.request({
    who: name,
    what: `junk in ${header}`,
    side: 'gate',
    target,
    address,
    headers: [[header, header.endsWith('uthorization') ? `Payment ${text}` : text]],
  });
}
