/** A scripted node of a chain on which accounts send token transfers of their own. It mines when it is asked. */
import { decodeFunctionData, encodeEventTopics, type Hex, keccak256, parseAbi, parseTransaction, toHex } from 'viem';

import { Listener } from './operator.ts';
import { ASSET } from './world.ts';

type Call = { readonly id: number; readonly method: string; readonly params: readonly unknown[] };
type Sent = { readonly hash: Hex; readonly from: Hex; readonly to: Hex; readonly value: bigint; readonly input: Hex; looks: number };

const ABI = parseAbi([
  'function transfer(address to, uint256 value)',
  'event Transfer(address indexed from, address indexed to, uint256 value)',
]);
const BLOCK = 1_000_000;

export class TransferNode {
  readonly url: string;
  /** Methods of each batch that was asked. */
  readonly batches: string[][] = [];
  /** How often a receipt is asked for in vain. */
  looksInVain = 0;
  /** Whether accounts hold none of the token. */
  isPoor = false;
  /** Who signs what comes next. */
  sender: Hex = '0x';
  readonly #listener: Listener;
  readonly #sent = new Map<string, Sent>();

  private constructor(listener: Listener) {
    this.#listener = listener;
    this.url = listener.url;
  }

  static async start(): Promise<TransferNode> {
    const listener: Listener = await Listener.start((text) => [200, JSON.stringify(node.#answer(JSON.parse(text) as Call[]))]);
    const node = new TransferNode(listener);
    return node;
  }

  stop(): Promise<void> {
    return this.#listener.stop();
  }

  /** Takes a signed transaction as a payer sends it himself. */
  take(bytes: Hex): Hex {
    const { data = '0x' } = parseTransaction(bytes);
    const { args } = decodeFunctionData({ abi: ABI, data });
    const hash = keccak256(bytes);
    this.#sent.set(hash, { hash, from: this.sender, to: args[0], value: args[1], input: data, looks: 0 });
    return hash;
  }

  #answer(calls: readonly Call[]): unknown {
    this.batches.push(calls.map(({ method }) => method));
    return calls.map(({ id, method, params }) => ({ jsonrpc: '2.0', id, result: this.#one(method, params) }));
  }

  #one(method: string, params: readonly unknown[]): unknown {
    const sent = this.#sent.get(String(params[0]));
    switch (method) {
      case 'eth_chainId':
        return toHex(84532);
      case 'eth_blockNumber':
        return toHex(BLOCK + this.batches.length);
      case 'eth_getBlockByNumber': {
        const number = params[0] === 'safe' ? BLOCK : params[0] === 'latest' ? BLOCK + this.batches.length : Number(params[0]);
        return { number: toHex(number), timestamp: toHex(Math.floor(Date.now() / 1000)), baseFeePerGas: '0x1' };
      }
      case 'eth_getTransactionCount':
        return '0x0';
      case 'eth_getBalance':
        return toHex(10n ** 18n);
      case 'eth_call':
        return this.#called(params[0] as { data: string });
      case 'eth_sendRawTransaction':
        return this.take(params[0] as Hex);
      case 'eth_getTransactionByHash':
        return sent === undefined ? null : { hash: sent.hash, from: sent.from, to: ASSET, input: sent.input };
      case 'eth_getTransactionReceipt':
        return sent === undefined || (sent.looks += 1) <= this.looksInVain ? null : this.#receipt(sent);
      default:
        throw new Error(`no ${method}`);
    }
  }

  /** A balance, or that a transfer succeeds. */
  #called({ data }: { data: string }): Hex {
    const balance = this.isPoor ? 0n : 1_000_000n;
    return toHex(data.startsWith('0x70a08231') ? balance : 1n, { size: 32 });
  }

  #receipt({ hash, from, to, value }: Sent): unknown {
    const blockNumber = toHex(BLOCK + this.batches.length);
    const topics = encodeEventTopics({ abi: ABI, eventName: 'Transfer', args: { from, to } });
    const log = {
      address: ASSET,
      topics,
      data: toHex(value, { size: 32 }),
      blockNumber,
      transactionHash: hash,
      logIndex: '0x0',
      removed: false,
    };
    return { transactionHash: hash, status: '0x1', blockNumber, logs: [log] };
  }
}
