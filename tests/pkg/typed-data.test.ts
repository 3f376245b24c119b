// Typed data of every kind is hashed as viem hashes it, and signed so that viem finds the signer.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { getAddress, type Hex, hashTypedData as hashByViem, recoverTypedDataAddress } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import {
  FareboxError,
  hashTypedData,
  type LooseTypedData,
  localSigner,
  paymentKey,
  recoverSigner,
  redeliveryTypedData,
} from '../../pkg/dist/index.js';
import { type Random, randomOf } from './random.ts';
import { PAYER, PAYER_KEY } from './shop.ts';

const ROUNDS = 10_000;
const SEED = 20_250_227;

type Field = { readonly name: string; readonly type: string };
type Types = Readonly<Record<string, readonly Field[]>>;

const WIDTHS = Array.from({ length: 32 }, (_, index) => index + 1);
const ELEMENTARY = [
  'address',
  'bool',
  'string',
  'bytes',
  ...WIDTHS.map((bytes) => `bytes${bytes}`),
  ...WIDTHS.map((bytes) => `uint${8 * bytes}`),
  ...WIDTHS.map((bytes) => `int${8 * bytes}`),
];
const STRINGS = ['', 'USD Coin', 'USD₮0', '\u0000\n"\\', '𝕏 שלום \u202e', 'ß'.repeat(70)];

/** Structs of which each refers only to later ones, and the last may hold an array of itself. */
function typesOf(random: Random): Types {
  const names = ['Order', 'Item', 'Deep', 'Leaf'].slice(0, 1 + random.below(4));
  const structs = names.map((name, place): [string, Field[]] => {
    const later = names.slice(place + 1);
    const fields = Array.from({ length: 1 + random.below(4) }, (_, index) => {
      const base = later.length > 0 && random.below(3) === 0 ? random.pick(later) : random.pick(ELEMENTARY);
      const suffix = Array.from({ length: random.pick([0, 0, 0, 1, 1, 2]) }, () => random.pick(['[]', '[1]', '[2]', '[3]'])).join('');
      return { name: `field${index}`, type: base + suffix };
    });
    // What no struct uses stays in the types and has no part in the hash.
    if (later[0] !== undefined && random.below(4) > 0) fields.push({ name: 'next', type: later[0] });
    if (later.length === 0 && random.below(4) === 0) fields.push({ name: 'own', type: `${name}[]` });
    return [name, fields];
  });
  return Object.fromEntries(random.below(2) === 0 ? structs : structs.reverse());
}

function randomValue(random: Random, types: Types, type: string, depth: number): unknown {
  const array = /^(.*)\[(\d*)\]$/.exec(type);
  if (array !== null) {
    const [, inner = '', fixed = ''] = array;
    const length = fixed === '' ? (depth > 3 ? 0 : random.below(4)) : Number(fixed);
    return Array.from({ length }, () => randomValue(random, types, inner, depth + 1));
  }
  const struct = types[type];
  if (struct !== undefined)
    return Object.fromEntries(struct.map((field) => [field.name, randomValue(random, types, field.type, depth + 1)]));
  const [, kind = '', size = '0'] = /^([a-z]+)(\d*)$/.exec(type) ?? [];
  switch (kind) {
    case 'address': {
      const address = `0x${random.bytes(20).toString('hex')}`;
      return random.below(2) === 0 ? address : getAddress(address);
    }
    case 'bool':
      return random.below(2) === 0;
    case 'string':
      return random.pick(STRINGS);
    case 'bytes':
      return `0x${random.bytes(size === '' ? random.below(70) : Number(size)).toString('hex')}`;
    default:
      return integer(random, kind === 'int', Number(size));
  }
}

/** At the edges of its range as often as within; as a big integer, as text or, where it is small, as a number. */
function integer(random: Random, signed: boolean, bits: number): bigint | string | number {
  const span = 1n << BigInt(bits);
  const least = signed ? -span / 2n : 0n;
  const any = least + (BigInt(`0x${random.bytes(32).toString('hex')}`) % span);
  const value = random.pick([any, any, any, least, least + span - 1n, 0n]);
  const forms: (bigint | string | number)[] = [value, value.toString()];
  if (value >= -1_000_000n && value <= 1_000_000n) forms.push(Number(value));
  return random.pick(forms);
}

/** Without its type, a domain is of the fields that it has; an empty version is such a field, but not to viem. */
function domainOf(random: Random): Readonly<Record<string, unknown>> {
  const whole = {
    name: random.pick(STRINGS),
    version: random.pick(['1', '2', '1.0.0-β']),
    chainId: random.pick([1, 8453, 84532n]),
    verifyingContract: getAddress(`0x${random.bytes(20).toString('hex')}`),
    salt: `0x${random.bytes(32).toString('hex')}`,
  };
  return Object.fromEntries(Object.entries(whole).filter(() => random.below(4) > 0));
}

/** viem takes integers as they are, and texts only in some places. */
function forViem(types: Types, type: string, value: unknown): unknown {
  const array = /^(.*)\[\d*\]$/.exec(type);
  if (array !== null) return (value as unknown[]).map((element) => forViem(types, array[1] ?? '', element));
  const struct = types[type];
  if (struct !== undefined) {
    const members = value as Readonly<Record<string, unknown>>;
    return Object.fromEntries(struct.map((field) => [field.name, forViem(types, field.type, members[field.name])]));
  }
  return /^u?int/.test(type) ? BigInt(value as bigint | string | number) : value;
}

// A-29
test(`${ROUNDS} random typed data hash as with viem: every elementary type, nested structs, arrays of arrays`, () => {
  const seen = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const random = randomOf(SEED + round);
    const types = typesOf(random);
    const data: LooseTypedData = {
      domain: domainOf(random),
      types,
      primaryType: 'Order',
      message: randomValue(random, types, 'Order', 0) as LooseTypedData['message'],
    };
    const message = forViem(types, 'Order', data.message);
    assert.equal(hashTypedData(data), hashByViem({ ...data, message } as Parameters<typeof hashByViem>[0]), `seed ${SEED + round}`);
    for (const { type } of types['Order'] ?? []) seen.add(type.replace(/\[.*/, ''));
  }
  assert.deepEqual(
    ELEMENTARY.filter((type) => !seen.has(type)),
    [],
    'each type was met at the top',
  );
});

test("what the key inside signs is signed as by viem, and each finds the other's signer", async () => {
  const [ours, theirs] = [localSigner(PAYER_KEY), privateKeyToAccount(PAYER_KEY)];
  for (let round = 0; round < 50; round += 1) {
    const random = randomOf(SEED - 1 - round);
    const types = typesOf(random);
    const data: LooseTypedData = {
      domain: domainOf(random),
      types,
      primaryType: 'Order',
      message: randomValue(random, types, 'Order', 0) as LooseTypedData['message'],
    };
    const same = { ...data, message: forViem(types, 'Order', data.message) } as Parameters<typeof theirs.signTypedData>[0];
    const plain = JSON.parse(JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))) as never;
    const signature = await theirs.signTypedData(same);
    assert.equal(await ours.sign(plain), signature, `seed ${SEED - 1 - round}`);
    assert.equal(recoverSigner(data, signature), PAYER);
    assert.equal(await recoverTypedDataAddress({ ...same, signature } as Parameters<typeof recoverTypedDataAddress>[0]), PAYER);
  }
});

test('what is no typed data is refused with a typed error, where a guess would be signed', () => {
  const good = {
    domain: { name: 'a' },
    types: { Order: [{ name: 'value', type: 'uint8' }] },
    primaryType: 'Order',
    message: { value: '1' },
  };
  const of = (type: string, value: unknown): LooseTypedData => ({
    ...good,
    types: { Order: [{ name: 'value', type }] },
    message: { value },
  });
  const wrong: readonly LooseTypedData[] = [
    of('uint8', '256'),
    of('uint8', '-1'),
    of('int8', '128'),
    of('int8', '-129'),
    of('uint8', '0x01'),
    of('uint8', 1.5),
    of('uint8', null),
    of('uint7', '1'),
    of('bytes33', '0x00'),
    of('bytes2', '0x00'),
    of('bytes', '0x0'),
    of('address', '0x00'),
    of('bool', 'true'),
    of('string', 1),
    of('uint8[2]', ['1']),
    of('uint8[]', '1'),
    of('Nobody', {}),
    of('tuple', {}),
    { ...good, message: {} },
    { ...good, message: { value: '1', more: '2' } },
    { ...good, primaryType: 'Nobody' },
    { ...good, primaryType: 'EIP712Domain' },
  ];
  assert.match(hashTypedData(good), /^0x[0-9a-f]{64}$/);
  for (const data of wrong) {
    assert.throws(
      () => hashTypedData(data),
      (error) => error instanceof FareboxError && error.code === 'invalid_typed_data',
      JSON.stringify(data),
    );
  }
});

test('a chain id that is no whole number names no chain', () => {
  const nonce = `0x${'11'.repeat(32)}`;
  const key = (chainId: number) => paymentKey({ chainId, asset: PAYER, payer: PAYER, nonce });
  assert.match(key(84532), /^0x[0-9a-f]{64}$/);
  assert.notEqual(key(84532), key(84533));
  const statement = (chainId: number) =>
    redeliveryTypedData({ paymentKey: nonce, chainId, method: 'GET', url: 'https://shop.example/', now: 1 });
  assert.equal(statement(84532).domain['chainId'], 84532);
  for (const wrong of [84532.5, -1, NaN, Infinity, 2 ** 53]) {
    for (const call of [key, statement]) {
      assert.throws(
        () => call(wrong),
        (error) => error instanceof FareboxError && error.code === 'invalid_payment',
        String(wrong),
      );
    }
  }
});

test('a signature that proves no key recovers nobody', async () => {
  const data = {
    domain: { name: 'a' },
    types: { Order: [{ name: 'value', type: 'uint8' }] },
    primaryType: 'Order',
    message: { value: '1' },
  };
  const signature = await localSigner(PAYER_KEY).sign(data);
  assert.equal(recoverSigner(data, signature), PAYER);
  const high = `0x${signature.slice(2, 66)}${(ORDER - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')}${signature.endsWith('1b') ? '1c' : '1b'}`;
  for (const wrong of [high, signature.slice(0, -2), `${signature}00`, `0x${'00'.repeat(65)}`, signature.slice(0, -2) + '02', 'hello']) {
    assert.throws(
      () => recoverSigner(data, wrong as Hex),
      (error) => error instanceof FareboxError && error.code === 'invalid_signature',
      wrong,
    );
  }
});
/** Of secp256k1. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
