// What ethers says of each kind.

import * as ethers from 'ethers';

import { mentionOf, orNull, partsOf, type Read, settlement, spelling, transferData, transferOf, typedOf } from './rules.ts';

export const answers: Record<string, (input: any) => unknown> = {
  'typed-data': typedData,
  authorizations: typedData,
  signatures: ({ key, digest }) => {
    const signer = new ethers.SigningKey(key);
    const publicKey = `0x${signer.publicKey.slice(4)}`;
    return { address: ethers.computeAddress(key), publicKey, signature: signer.sign(digest).serialized };
  },
  recovery: ({ digest, signature }) => partsOf(signature) && orNull(async () => ({ signer: ethers.recoverAddress(digest, signature) })),
  addresses: ({ bytes, text }) => ({ checksum: ethers.getAddress(bytes), ...spelling(text, ethers.getAddress) }),
  sent: ({ key, chainId, nonce, tip, maxFee, gas, to, data }) => {
    const fees = { maxPriorityFeePerGas: tip, maxFeePerGas: maxFee };
    const transaction = ethers.Transaction.from({ type: 2, chainId, nonce, gasLimit: gas, to, data, ...fees });
    transaction.signature = new ethers.SigningKey(key).sign(transaction.unsignedHash);
    return { raw: transaction.serialized, hash: transaction.hash };
  },
  read: async ({ raw }) => transferOf(raw, await orNull(async () => read(raw)), ethers.getAddress),
  rlp: async ({ item, bytes }) => {
    if (item !== undefined) return { bytes: ethers.encodeRlp(item) };
    // It reads longer forms, too.
    const read = await orNull(async () => ethers.decodeRlp(bytes));
    return read !== null && ethers.encodeRlp(read) === bytes ? { item: read } : null;
  },
  abi,
};

function typedData(input: any): unknown {
  return orNull(async () => {
    const { domain, types, message } = typedOf(input);
    const digest = ethers.TypedDataEncoder.hash(domain, types, message);
    return { domain: ethers.TypedDataEncoder.hashDomain(domain), digest };
  });
}

function read(raw: string): Read {
  const it = ethers.Transaction.from(raw);
  return {
    isDynamicFee: it.type === 2,
    isCanonical: it.serialized === raw,
    wei: it.value,
    data: it.data,
    token: it.to,
    s: BigInt(it.signature!.s),
    fees: { tip: it.maxPriorityFeePerGas ?? 0n, maxFee: it.maxFeePerGas ?? 0n },
    told: { hash: it.hash!, from: it.from!, chainId: String(it.chainId), nonce: String(it.nonce), gas: String(it.gasLimit) },
  };
}

function abi(input: any): unknown {
  if (input.transfer !== undefined) return transferData(input.transfer, ethers.getAddress);
  if (input.settle !== undefined) {
    const call = new ethers.Interface([settlement(input)]).parseTransaction({ data: input.settle })!;
    return mentionOf(input, call.args.toObject() as any);
  }
  if (input.types !== undefined)
    return { hash: ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(input.types.split(','), input.arguments)) };
  const name = input.function.split('(')[0];
  return { data: new ethers.Interface([`function ${input.function}`]).encodeFunctionData(name, input.arguments) };
}
