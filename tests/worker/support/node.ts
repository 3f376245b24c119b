/**
 * A scripted node of the chain: JSON-RPC batches about EIP-3009 authorizations, answered as a real node would.
 *
 * It mines a block for every batch. What {@link ChainNode.facilitator} settled is mined when it is first asked
 * afterwards.
 */
import { keccak256, toHex } from 'viem';
import { type Facilitator, transactionOf } from './facilitator.ts';
import { Listener } from './operator.ts';
import { ASSET, PAY_TO } from './world.ts';

type Call = { readonly id: number; readonly method: string; readonly params: readonly unknown[] };
type Transfer = { readonly payer: string; readonly nonce: string; readonly hash: string; block: number };

const AUTHORIZATION_USED = keccak256(toHex('AuthorizationUsed(address,bytes32)'));
const TRANSFER = keccak256(toHex('Transfer(address,address,uint256)'));
const FIRST_BLOCK = 1_000_000;
const VALUE = 10_000;

export class ChainNode {
  readonly url: string;
  /** Methods of each batch that was asked. */
  readonly batches: string[][] = [];
  /** How a transfer is found: by its receipt, by the logs alone, or not at all. */
  finds: 'receipts' | 'logs' | 'nothing' = 'receipts';
  /** Blocks between the newest one and a transfer, and between that and the newest one after it. */
  delayBlocks = 1;
  facilitator: Facilitator | undefined;
  #latest = FIRST_BLOCK;
  readonly #listener: Listener;
  readonly #mined = new Map<string, Transfer>();
  /** Hashes that logs have told of. */
  readonly #told = new Set<string>();

  private constructor(listener: Listener) {
    this.#listener = listener;
    this.url = listener.url;
  }

  static async start(): Promise<ChainNode> {
    const listener: Listener = await Listener.start((text) => [200, JSON.stringify(node.#answer(JSON.parse(text) as Call[]))]);
    const node = new ChainNode(listener);
    return node;
  }

  stop(): Promise<void> {
    return this.#listener.stop();
  }

  #answer(calls: readonly Call[]): unknown {
    this.batches.push(calls.map(({ method }) => method));
    this.#latest += 1;
    this.#mine();
    return calls.map(({ id, method, params }) => ({ jsonrpc: '2.0', id, ...this.#one(method, params) }));
  }

  #one(method: string, params: readonly unknown[]): { result: unknown } | { error: unknown } {
    switch (method) {
      case 'eth_chainId':
        return { result: toHex(84532) };
      case 'eth_blockNumber':
        return { result: toHex(this.#latest) };
      case 'eth_getBlockByNumber':
        return { result: this.#block(String(params[0])) };
      case 'eth_call':
        return { result: word(this.#isUsed(params) ? '1' : '0') };
      case 'eth_getLogs':
        return { result: this.#logs(params[0] as Filter) };
      case 'eth_getTransactionReceipt':
        return { result: this.#receipt(String(params[0])) };
      default:
        return { error: { code: -32601, message: `no ${method}` } };
    }
  }

  #mine(): void {
    for (const settled of this.facilitator?.settled ?? []) {
      const [payer = '', nonce = ''] = settled.split('/');
      const hash = transactionOf(payer, nonce);
      if (this.#mined.has(hash)) continue;
      this.#latest += this.delayBlocks;
      this.#mined.set(hash, { payer, nonce, hash, block: this.#latest });
      this.#latest += this.delayBlocks;
    }
  }

  #block(which: string): unknown {
    const number = which === 'safe' ? FIRST_BLOCK : which === 'latest' ? this.#latest : Number(which);
    return { number: toHex(number), timestamp: toHex(Math.floor(Date.now() / 1000) - 2 * (this.#latest - number)) };
  }

  #isUsed(params: readonly unknown[]): boolean {
    const { data } = params[0] as { data: string };
    const used = [...this.#mined.values()].find(({ nonce }) => data.endsWith(nonce.slice(2)));
    return this.finds !== 'nothing' && used !== undefined && used.block <= Number(params[1]);
  }

  #logs({ fromBlock, toBlock, topics }: Filter): unknown[] {
    const found = [...this.#mined.values()].filter(
      ({ nonce, block }) => topics[2] === nonce && Number(fromBlock) <= block && block <= Number(toBlock),
    );
    for (const { hash } of found) this.#told.add(hash);
    return found.map((transfer) => logsOf(transfer)[0]);
  }

  #receipt(hash: string): unknown {
    const transfer = this.#mined.get(hash);
    const shown = this.finds === 'receipts' || (this.finds === 'logs' && this.#told.has(hash));
    if (transfer === undefined || !shown) return null;
    return { transactionHash: hash, status: '0x1', blockNumber: toHex(transfer.block), logs: logsOf(transfer) };
  }
}

type Filter = { readonly fromBlock: string; readonly toBlock: string; readonly topics: readonly [unknown, string, string] };

function logsOf({ payer, nonce, hash, block }: Transfer): [unknown, unknown] {
  const common = { address: ASSET.toLowerCase(), blockNumber: toHex(block), transactionHash: hash, removed: false };
  return [
    { ...common, logIndex: '0x0', data: '0x', topics: [AUTHORIZATION_USED, word(payer), nonce] },
    { ...common, logIndex: '0x1', data: word(VALUE.toString(16)), topics: [TRANSFER, word(payer), word(PAY_TO)] },
  ];
}

function word(hex: string): string {
  return `0x${hex.replace(/^0x/, '').toLowerCase().padStart(64, '0')}`;
}
