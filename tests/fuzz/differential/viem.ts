// What viem says of each kind.

import * as viem from 'viem';
import { privateKeyToAccount, sign } from 'viem/accounts';

import { mentionOf, orNull, partsOf, type Read, settlement, spelling, transferData, transferOf, typedOf } from './rules.ts';

export const answers: Record<string, (input: any) => unknown> = {
  'typed-data': typedData,
  authorizations: typedData,
  signatures: async ({ key, digest }) => {
    const { address, publicKey } = privateKeyToAccount(key);
    return { address, publicKey: `0x${publicKey.slice(4)}`, signature: await sign({ hash: digest, privateKey: key, to: 'hex' }) };
  },
  recovery: ({ digest, signature }) =>
    partsOf(signature) && orNull(async () => ({ signer: await viem.recoverAddress({ hash: digest, signature }) })),
  addresses: ({ bytes, text }) => ({ checksum: checksum(bytes), ...spelling(text, checksum) }),
  sent: async ({ key, chainId, nonce, tip, maxFee, gas, to, data }) => {
    const fees = { maxPriorityFeePerGas: BigInt(tip), maxFeePerGas: BigInt(maxFee) };
    const transaction = { type: 'eip1559', chainId, nonce, gas: BigInt(gas), to, data, ...fees } as const;
    const raw = await privateKeyToAccount(key).signTransaction(transaction);
    return { raw, hash: viem.keccak256(raw) };
  },
  read: async ({ raw }) => transferOf(raw, await orNull(() => read(raw)), checksum),
  rlp: async ({ item, bytes }) => {
    if (item !== undefined) return { bytes: viem.toRlp(item) };
    // It reads longer forms, too.
    const read = await orNull(async () => viem.fromRlp(bytes, 'hex'));
    return read !== null && viem.toRlp(read) === bytes ? { item: read } : null;
  },
  abi,
};

/** The members of a domain, in the order of the standard. */
const DOMAIN = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
  { name: 'salt', type: 'bytes32' },
];

function checksum(text: string): string {
  return viem.checksumAddress(text.toLowerCase() as viem.Address);
}

function typedData(input: any): unknown {
  return orNull(async () => {
    const { domain, ...typed } = typedOf(input);
    // Of itself it leaves out a version that is empty.
    const types = { ...typed.types, EIP712Domain: DOMAIN.filter(({ name }) => name in domain) };
    return { domain: viem.hashDomain({ domain, types }), digest: viem.hashTypedData({ ...typed, types, domain } as any) };
  });
}

async function read(raw: any): Promise<Read> {
  const { r, s, v, yParity, type, ...content }: any = viem.parseTransaction(raw);
  const digest = viem.keccak256(viem.serializeTransaction({ ...content, type }));
  return {
    isDynamicFee: type === 'eip1559',
    isCanonical: viem.serializeTransaction({ ...content, type }, { r, s, yParity }) === raw,
    wei: content.value ?? 0n,
    data: content.data ?? '0x',
    token: content.to ? checksum(content.to) : null,
    s: BigInt(s),
    fees: { tip: content.maxPriorityFeePerGas ?? 0n, maxFee: content.maxFeePerGas ?? 0n },
    told: {
      hash: viem.keccak256(raw),
      from: await viem.recoverAddress({ hash: digest, signature: viem.serializeSignature({ r, s, yParity }) }),
      chainId: String(content.chainId),
      nonce: String(content.nonce ?? 0),
      gas: String(content.gas ?? 0n),
    },
  };
}

function abi(input: any): unknown {
  if (input.transfer !== undefined) return transferData(input.transfer, checksum);
  if (input.settle !== undefined) {
    const { args } = viem.decodeFunctionData({ abi: viem.parseAbi([settlement(input)] as any) as viem.Abi, data: input.settle }) as any;
    const members = input.withPermit ? args.slice(1) : args;
    const [permit, amount, owner, witness] = input.isUpTo ? members : [members[0], undefined, members[1], members[2]];
    return mentionOf(input, { permit, amount, owner, witness });
  }
  const parameters = viem.parseAbiParameters(input.types ?? /\((.*)\)/.exec(input.function)![1]) as readonly viem.AbiParameter[];
  const values = parameters.map(({ type }, at) => {
    const value = input.arguments[at];
    if (type === 'uint256[]') return value.map(BigInt);
    return type === 'uint256' ? BigInt(value) : value;
  });
  if (input.types !== undefined) return { hash: viem.keccak256(viem.encodeAbiParameters(parameters, values)) };
  const functions = viem.parseAbi([`function ${input.function}`] as any) as viem.Abi;
  return { data: viem.encodeFunctionData({ abi: functions, args: values }) };
}
