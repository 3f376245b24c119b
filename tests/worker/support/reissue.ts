/**
 * Makes the security vectors payable now.
 *
 * The vectors hold payments signed by keys we do not have, for a fixed time. A case is re-issued for a fresh payer
 * at the real time: times move by the distance to the case's `now`, the address of the vectors' payer becomes ours
 * in the same spelling, and the signature is made anew **with the deviation that the case is about**: a wrong
 * domain, type, signer or tampering stays wrong in the same way.
 */
import { encodeAbiParameters, type Hex, type TypedDataDefinition } from 'viem';

import { type Authorization, type Json, type JsonObject, type Payer, type Terms, TRANSFER_TYPES } from './payer.ts';

export type PaymentCase = {
  readonly name: string;
  readonly class: string;
  readonly requirements: Terms;
  readonly now: number;
  readonly payment: JsonObject;
  readonly expect: 'accept' | 'reject' | 'either';
};

/** Who signed the vectors. */
export const VECTOR_PAYER = '0x0Ab4B7525782Cc50F1c5624dd51117B6591bc59C';
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const ERC6492_MAGIC = '6492'.repeat(16);

/** The payment of a case for `payer` at `now`; `other` signs where the case is signed by a wrong key. */
export async function reissue(vector: PaymentCase, payer: Payer, other: Payer, now: number): Promise<JsonObject> {
  const payment = clone(vector.payment);
  const payload = objectIn(payment, 'payload');
  const authorization = payload && objectIn(payload, 'authorization');
  if (payload === undefined || authorization === undefined) return payment;
  const shift = now - vector.now;
  for (const name of ['validAfter', 'validBefore']) authorization[name] = shifted(authorization[name] ?? null, shift);
  const permit2 = objectIn(payload, 'permit2Authorization');
  if (permit2 !== undefined) {
    permit2['deadline'] = shifted(permit2['deadline'] ?? null, shift);
    permit2['from'] = payer.address;
  }
  authorization['from'] = respelled(authorization['from'] ?? null, payer);
  if (!('signature' in payload)) return payment;
  const signer = vector.name === 'signed-by-other-key' ? other : payer;
  const good = await sign(vector, signer, signable(vector, authorization, payer));
  payload['signature'] = deformed(vector.name, good);
  return payment;
}

/** Typed data that the signature of a re-issued case covers. */
export function signable(vector: PaymentCase, sent: JsonObject, payer: Payer): Authorization {
  const terms = vector.requirements;
  const tampered: Readonly<Record<string, Partial<Authorization>>> = {
    'value-tampered-after-sign': { value: `${BigInt(terms.amount) - 1n}` },
    'to-tampered': { to: terms.payTo },
    'nonce-tampered': { nonce: `0x${'5a'.repeat(32)}` },
    'from-swapped': { from: payer.address },
    'from-zero': { from: payer.address },
  };
  const signed = {
    from: lower(sent['from'], payer.address),
    to: lower(sent['to'], terms.payTo),
    value: uint(sent['value'] ?? null, terms.amount),
    validAfter: uint(sent['validAfter'] ?? null, '0'),
    validBefore: uint(sent['validBefore'] ?? null, '0'),
    nonce: /^0x[0-9a-fA-F]{64}$/.test(String(sent['nonce'])) ? String(sent['nonce']).toLowerCase() : `0x${'ab'.repeat(32)}`,
    ...tampered[vector.name],
  };
  return { ...signed, from: signed.from.toLowerCase(), to: signed.to.toLowerCase() };
}

function sign(vector: PaymentCase, signer: Payer, authorization: Authorization): Promise<Hex> {
  const { extra, network, asset } = vector.requirements;
  const ordinary = { name: extra.name, version: extra.version, chainId: Number(network.split(':')[1]), verifyingContract: asset };
  const domain: Record<string, string | number> = { ...ordinary, ...DOMAINS[vector.name] };
  for (const name of WITHOUT[vector.name] ?? []) delete domain[name];
  const EIP712Domain = Object.keys(DOMAIN_TYPES)
    .filter((name) => name in domain)
    .map((name) => ({ name, type: DOMAIN_TYPES[name] ?? '' }));
  const { primaryType, type, message } = statement(vector.name, authorization);
  const definition = { domain, types: { EIP712Domain, [primaryType]: type }, primaryType, message };
  return signer.account.signTypedData(definition as unknown as TypedDataDefinition);
}

type Field = { readonly name: string; readonly type: string };
type Statement = { readonly primaryType: string; readonly type: readonly Field[]; readonly message: Readonly<Record<string, string>> };

/** What is signed: the transfer, or a sibling that must not pass for it. */
function statement(name: string, authorization: Authorization): Statement {
  const { from, nonce, value, to, validBefore } = authorization;
  const transfer = TRANSFER_TYPES.TransferWithAuthorization;
  switch (name) {
    case 'type-receive-with-authorization':
      return { primaryType: 'ReceiveWithAuthorization', type: transfer, message: { ...authorization } };
    case 'type-cancel':
      return { primaryType: 'CancelAuthorization', type: fields('address authorizer,bytes32 nonce'), message: { authorizer: from, nonce } };
    case 'type-permit':
      return {
        primaryType: 'Permit',
        type: fields('address owner,address spender,uint256 value,uint256 nonce,uint256 deadline'),
        message: { owner: from, spender: to, value, nonce: '0', deadline: validBefore },
      };
    default:
      return { primaryType: 'TransferWithAuthorization', type: transfer, message: { ...authorization } };
  }
}

function deformed(name: string, good: Hex): Json {
  const [r, s, v] = [good.slice(2, 66), BigInt(`0x${good.slice(66, 130)}`), Number.parseInt(good.slice(130), 16)];
  const joined = (low: bigint, last: number): string => `0x${r}${low.toString(16).padStart(64, '0')}${last.toString(16).padStart(2, '0')}`;
  switch (name) {
    case 'sig-high-s':
      return joined(CURVE_ORDER - s, v === 27 ? 28 : 27);
    case 'sig-v-raw-parity':
      return joined(s, v - 27);
    case 'sig-v-eip155':
      return joined(s, v + 10);
    case 'sig-compact-64':
      return `0x${r}${(s | (BigInt(v - 27) << 255n)).toString(16).padStart(64, '0')}`;
    case 'sig-all-zero':
      return `0x${'00'.repeat(65)}`;
    case 'sig-empty':
      return '0x';
    case 'sig-number':
      return 12345;
    case 'sig-not-hex':
      return `${good.slice(0, 20)}xy${good.slice(22)}`;
    case 'sig-6492-wrapper': {
      const factory = '0xFD553Ae3Fc2976Db40d673CAe1eadB3B6Bc6F1BC';
      const types = [{ type: 'address' }, { type: 'bytes' }, { type: 'bytes' }] as const;
      return `${encodeAbiParameters(types, [factory, '0xdeadbeef', good])}${ERC6492_MAGIC}`;
    }
    default:
      return good;
  }
}

const DOMAIN_TYPES: Readonly<Record<string, string>> = {
  name: 'string',
  version: 'string',
  chainId: 'uint256',
  verifyingContract: 'address',
  salt: 'bytes32',
};

const DOMAINS: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
  'domain-other-chain': { chainId: 8453 },
  'domain-chain-1': { chainId: 1 },
  'domain-chain-0': { chainId: 0 },
  'domain-other-contract': { verifyingContract: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913' },
  'domain-contract-is-payto': { verifyingContract: '0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f' },
  'domain-contract-zero': { verifyingContract: `0x${'0'.repeat(40)}` },
  'domain-other-name': { name: 'USD Coin' },
  'domain-name-lower': { name: 'usdc' },
  'domain-name-trailing-space': { name: 'USDC ' },
  'domain-name-homoglyph': { name: 'USD\u0421' },
  'domain-version-1': { version: '1' },
  'domain-version-2.0': { version: '2.0' },
  'domain-version-empty': { version: '' },
  'domain-salt-instead-of-chain': { salt: `0x${(84532).toString(16).padStart(64, '0')}` },
};

const WITHOUT: Readonly<Record<string, readonly string[]>> = {
  'domain-no-version': ['version'],
  'domain-no-chain': ['chainId'],
  'domain-salt-instead-of-chain': ['chainId'],
};

function fields(list: string): Field[] {
  return list.split(',').map((field) => {
    const [type = '', name = ''] = field.split(' ');
    return { name, type };
  });
}

/** Seconds near the vectors' time move along, also with a fraction or in milliseconds; anything else stays. */
function shifted(value: Json, shift: number): Json {
  const [, seconds = '', rest = ''] = /^(\d{10})(\d{3}|\.\d+)?$/.exec(String(value)) ?? [];
  if (seconds === '' || typeof value !== 'string') return value;
  return `${Number(seconds) + shift}${rest}`;
}

function respelled(from: Json, payer: Payer): Json {
  if (from === VECTOR_PAYER) return payer.address;
  return from === VECTOR_PAYER.toLowerCase() ? payer.address.toLowerCase() : from;
}

function uint(value: Json, otherwise: string): string {
  if (typeof value !== 'string' && typeof value !== 'number') return otherwise;
  try {
    const parsed = BigInt(value);
    return value !== '' && parsed >= 0n ? BigInt.asUintN(256, parsed).toString() : otherwise;
  } catch {
    return otherwise;
  }
}

function lower(value: Json | undefined, otherwise: string): string {
  return /^0x[0-9a-fA-F]{40}$/.test(String(value)) ? String(value).toLowerCase() : otherwise;
}

function objectIn(value: JsonObject, name: string): JsonObject | undefined {
  const inner = value[name];
  return inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? (inner as JsonObject) : undefined;
}

/** Through text, so that an own member named `__proto__` stays one. */
function clone(value: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
