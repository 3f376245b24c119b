// What two libraries share here: rules of this project that a library does not have, stated once more.

import { readFileSync } from 'node:fs';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** What payments sign. */
const FORMS = JSON.parse(readFileSync(new URL('forms.json', import.meta.url), 'utf8'));

export type Field = { name: string; type: string };
export type Typed = { types: Record<string, Field[]>; primaryType: string; domain: any; message: any };

/** The result, or null where the library refuses. */
export async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch {
    return null;
  }
}

/** Typed data with its types, and numbers as libraries want them. */
export function typedOf(input: any): Typed {
  const { types, primaryType } = input.form === undefined ? input : FORMS[input.form];
  const { chainId, ...others } = input.domain;
  const domain = chainId === undefined ? others : { ...others, chainId: BigInt(chainId) };
  return { types, primaryType, domain, message: numbered(types, primaryType, input.message) };
}

function numbered(types: Typed['types'], type: string, value: any): any {
  const array = /^(.*)\[\d*\]$/.exec(type);
  if (array) return value.map((element: any) => numbered(types, array[1]!, element));
  const fields = types[type];
  if (fields) return Object.fromEntries(fields.map(({ name, type }) => [name, numbered(types, type, value[name])]));
  return /^u?int/.test(type) ? BigInt(value) : value;
}

/** The parts of a signature as tokens accept it: 65 bytes, v 27 or 28, numbers in range, s in the lower half. */
export function partsOf(signature: string): { r: bigint; s: bigint; v: number } | null {
  if (signature.length !== 132) return null;
  const [r, s, v] = [BigInt(signature.slice(0, 66)), BigInt(`0x${signature.slice(66, 130)}`), Number.parseInt(signature.slice(130), 16)];
  const isRight = (v === 27 || v === 28) && r > 0n && r < ORDER && isLow(s);
  return isRight ? { r, s, v } : null;
}

export function isLow(s: bigint): boolean {
  return s > 0n && s <= ORDER / 2n;
}

/** Whether a text is an address: `0x` and 40 digits of one case, or with the right checksum. */
export function spelling(text: string, checksum: (text: string) => string): { read: string | null; checked: boolean } {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) return { read: null, checked: false };
  const digits = text.slice(2);
  const isOfOneCase = digits === digits.toLowerCase() || digits === digits.toUpperCase();
  return { read: text.toLowerCase(), checked: isOfOneCase || checksum(text.toLowerCase()) === text };
}

/** A transaction as a library has read it. */
export type Read = {
  isDynamicFee: boolean;
  isCanonical: boolean;
  wei: bigint;
  data: string;
  token: string | null;
  s: bigint;
  fees: { tip: bigint; maxFee: bigint };
  told: { hash: string; from: string; chainId: string; nonce: string; gas: string };
};

/** What it says if it is a plain transfer: of type 2, one call of `transfer`, no ether, fees that can be, one signature. */
export function transferOf(raw: string, read: Read | null, checksum: (text: string) => string): unknown {
  if (read === null || raw.length > 2 + 2 * 4_096) return null;
  const call = transferData(read.data, checksum);
  const { tip, maxFee } = read.fees;
  if (!read.isDynamicFee || !read.isCanonical || read.wei !== 0n || read.token === null || call === null) return null;
  if (tip > maxFee || !isLow(read.s)) return null;
  return { ...read.told, maxFee: maxFee.toString(), tip: tip.toString(), token: read.token, ...call };
}

/** The arguments of `transfer(address,uint256)`, whose data has no byte that means nothing. */
export function transferData(data: string, checksum: (text: string) => string): { to: string; value: string } | null {
  const words = /^0xa9059cbb0{24}([0-9a-f]{40})([0-9a-f]{64})$/.exec(data);
  return words && { to: checksum(`0x${words[1]}`), value: BigInt(`0x${words[2]}`).toString() };
}

const PERMIT = '((address token,uint256 amount) permitted,uint256 nonce,uint256 deadline) permit';
const APPROVAL = '(uint256 value,uint256 deadline,bytes32 r,bytes32 s,uint8 v) approval';
const PLACES = {
  exact: { proxy: '0x402085c248EeA27D92E8b30b2C58ed07f9E20001', rest: `${PERMIT}, address owner, (address to,uint256 validAfter) witness` },
  upto: {
    proxy: '0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002',
    rest: `${PERMIT}, uint256 amount, address owner, (address to,address facilitator,uint256 validAfter) witness`,
  },
};

/** The function that settles a permit, as it is declared. */
export function settlement({ isUpTo, withPermit }: { isUpTo: boolean; withPermit: boolean }): string {
  const { rest } = PLACES[isUpTo ? 'upto' : 'exact'];
  return withPermit ? `function settleWithPermit(${APPROVAL}, ${rest}, bytes signature)` : `function settle(${rest}, bytes signature)`;
}

/** How a call of that function is about a payment. */
export function mentionOf(input: any, call: { permit: any; amount?: bigint; owner: string; witness: any }): unknown {
  const isCalled = input.called === PLACES[input.isUpTo ? 'upto' : 'exact'].proxy;
  const [value, nonce] = [BigInt(input.value), BigInt(input.nonce)];
  if (isCalled && call.permit.nonce === nonce && call.owner === input.from) {
    const { token, amount } = call.permit.permitted;
    const moved = input.isUpTo ? call.amount : amount;
    const isExact = token === input.asset && moved === value && call.witness.to === input.to;
    return { mention: isExact ? 'exact' : 'nonce' };
  }
  return { mention: new RegExp(`^0x(..)*?${input.nonce.slice(2)}`).test(input.settle) ? 'inside' : 'none' };
}
