// A chain with one token, whose balances and transfers are what the simulation's judge believes.
//
// A block comes every second of the clock. Nodes show a transfer from the block after the one that has it.

import { encodeEventTopics, type Hex, keccak256, parseAbi, toHex } from 'viem';

import { Listener } from '../worker/support/operator.ts';
import type { Authorization } from '../worker/support/payer.ts';
import { ASSET } from '../worker/support/world.ts';

export type Transfer = {
  readonly from: Hex;
  readonly to: Hex;
  readonly value: bigint;
  /** Of the authorization that was used; none where the owner sent it. */
  readonly nonce: Hex | undefined;
  /** What everybody can read of an authorization once it was used. */
  readonly calldata: Calldata | undefined;
  readonly hash: Hex;
  readonly block: number;
};

export type Calldata = { readonly authorization: Authorization; readonly signature: Hex };

export type Refusal = 'insufficient_funds' | 'authorization_used' | 'authorization_expired' | 'value_or_payee';

type Call = { readonly id: number; readonly method: string; readonly params: readonly unknown[] };
type Filter = { readonly fromBlock: string; readonly toBlock: string; readonly topics: readonly [unknown, string, string] };

const CHAIN_ID = 84_532;
const ABI = parseAbi([
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)',
]);
const BALANCE_OF = '0x70a08231';

export class Chain {
  readonly url: string;
  readonly transfers: Transfer[] = [];
  readonly #listener: Listener;
  readonly #balances = new Map<string, bigint>();

  private constructor(listener: Listener) {
    this.#listener = listener;
    this.url = listener.url;
  }

  static async start(): Promise<Chain> {
    const listener: Listener = await Listener.start((text) => [200, JSON.stringify(chain.#answer(JSON.parse(text) as Call[]))]);
    const chain = new Chain(listener);
    return chain;
  }

  stop(): Promise<void> {
    return this.#listener.stop();
  }

  mint(to: Hex, value: bigint): void {
    this.#balances.set(to.toLowerCase(), this.balanceOf(to) + value);
  }

  balanceOf(address: Hex): bigint {
    return this.#balances.get(address.toLowerCase()) ?? 0n;
  }

  /** The transfer that used an authorization. */
  useOf(from: string, nonce: string): Transfer | undefined {
    return this.transfers.find((transfer) => transfer.nonce === nonce.toLowerCase() && transfer.from === from.toLowerCase());
  }

  /** Uses an authorization whose signature is good, as the token would. */
  use(calldata: Calldata): Transfer | Refusal {
    const { from, to, value, validBefore, nonce } = calldata.authorization;
    if (this.useOf(from, nonce) !== undefined) return 'authorization_used';
    if (Number(validBefore) <= Date.now() / 1000) return 'authorization_expired';
    return this.#move(from as Hex, to as Hex, BigInt(value), calldata);
  }

  /** A transfer that its owner sends. */
  send(from: Hex, to: Hex, value: bigint): Transfer | Refusal {
    return this.#move(from, to, value, undefined);
  }

  #move(from: Hex, to: Hex, value: bigint, calldata: Calldata | undefined): Transfer | Refusal {
    if (this.balanceOf(from) < value) return 'insufficient_funds';
    this.mint(from, -value);
    this.mint(to, value);
    const hash = keccak256(toHex(`transfer ${this.transfers.length}`));
    const nonce = calldata && lower(calldata.authorization.nonce as Hex);
    const transfer = { from: lower(from), to: lower(to), value, nonce, calldata, hash, block: now() };
    this.transfers.push(transfer);
    return transfer;
  }

  #answer(calls: readonly Call[]): unknown {
    return calls.map(({ id, method, params }) => ({ jsonrpc: '2.0', id, ...this.#one(method, params) }));
  }

  #one(method: string, params: readonly unknown[]): { result: unknown } | { error: unknown } {
    const shown = this.transfers.filter(({ block }) => block < now());
    const transfer = shown.find(({ hash }) => hash === params[0]);
    switch (method) {
      case 'eth_chainId':
        return { result: toHex(CHAIN_ID) };
      case 'eth_blockNumber':
        return { result: toHex(now()) };
      case 'eth_getBlockByNumber': {
        const number = params[0] === 'safe' ? now() - 1 : params[0] === 'latest' ? now() : Number(params[0]);
        return { result: { number: toHex(number), timestamp: toHex(number), baseFeePerGas: '0x1' } };
      }
      case 'eth_call':
        return { result: this.#called(params[0] as { data: string }, Number(params[1]), shown) };
      case 'eth_getLogs':
        return { result: logs(shown, params[0] as Filter) };
      case 'eth_getTransactionByHash':
        return { result: transfer === undefined ? null : { hash: transfer.hash, from: transfer.from, to: ASSET, input: '0x' } };
      case 'eth_getTransactionReceipt':
        return { result: transfer === undefined ? null : receipt(transfer) };
      default:
        return { error: { code: -32601, message: `no ${method}` } };
    }
  }

  /** A balance, or whether an authorization was used by some block. */
  #called({ data }: { data: string }, at: number, shown: readonly Transfer[]): Hex {
    if (data.startsWith(BALANCE_OF)) return toHex(this.balanceOf(`0x${data.slice(-40)}`), { size: 32 });
    const used = shown.some(({ nonce, block }) => nonce !== undefined && data.endsWith(nonce.slice(2)) && block <= at);
    return toHex(used, { size: 32 });
  }
}

/** The number of the block that is being made, which is its second. */
function now(): number {
  return Math.floor(Date.now() / 1000);
}

function logs(shown: readonly Transfer[], { fromBlock, toBlock, topics }: Filter): unknown[] {
  return shown
    .filter(({ nonce, block }) => topics[2] === nonce && Number(fromBlock) <= block && block <= Number(toBlock))
    .map((transfer) => logsOf(transfer)[0]);
}

function receipt(transfer: Transfer): unknown {
  return { transactionHash: transfer.hash, status: '0x1', blockNumber: toHex(transfer.block), logs: logsOf(transfer) };
}

function logsOf({ from, to, value, nonce, hash, block }: Transfer): unknown[] {
  const common = { address: ASSET.toLowerCase(), blockNumber: toHex(block), transactionHash: hash, removed: false };
  const moved = { topics: encodeEventTopics({ abi: ABI, eventName: 'Transfer', args: { from, to } }), data: toHex(value, { size: 32 }) };
  const used = nonce && {
    topics: encodeEventTopics({ abi: ABI, eventName: 'AuthorizationUsed', args: { authorizer: from, nonce } }),
    data: '0x',
  };
  return [...(used ? [used] : []), moved].map((log, index) => ({ ...common, ...log, logIndex: toHex(index) }));
}

function lower(address: Hex): Hex {
  return address.toLowerCase() as Hex;
}
