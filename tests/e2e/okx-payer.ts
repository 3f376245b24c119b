// A payer of OKX's shape, written from the reference: it reads one challenge from `WWW-Authenticate`, keeps one state per
// channel, and decides between showing its voucher again, signing a higher one and adding to the deposit.

import { createWalletClient, encodeAbiParameters, erc20Abi, type Hex, http, keccak256, parseAbi, toHex, zeroAddress } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';

import { type Chain, readArtefact } from '../../demo/chain.mjs';

export interface Answer {
  status: number;
  body: string;
  /** `code` of a refusal. */
  code?: number;
  receipt?: { spent: string; acceptedCumulative: string; channelId: string; status: string };
}

interface Asked {
  challenge: Record<'id' | 'realm' | 'method' | 'intent' | 'request' | 'expires', string>;
  request: {
    amount: string;
    currency: Hex;
    recipient: Hex;
    suggestedDeposit: string;
    methodDetails: { chainId: number; escrowContract: Hex; feePayer: boolean };
  };
}

/** What a payer signs who leaves the transaction to the payee. */
const RECEIVE = {
  ReceiveWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;
const hashed = (types: string[], values: unknown[]): Hex =>
  keccak256(
    encodeAbiParameters(
      types.map((type) => ({ type })),
      values,
    ),
  );
const VOUCHER = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'cumulativeAmount', type: 'uint128' },
  ],
} as const;

/** One value of the field as that client reads it: the second `id` of a list is a key that it does not know. */
function read(field: string): Asked {
  const parts: Record<string, string> = {};
  for (const [, key = '', value = ''] of field.replace(/^Payment /, '').matchAll(/([\w ]+?)="((?:[^"\\]|\\.)*)"(?:, )?/g))
    parts[key.trim()] = value.replaceAll(/\\(.)/g, '$1');
  const { id = '', realm = '', method = '', intent = '', request = '', expires = '' } = parts;
  return {
    challenge: { id, realm, method, intent, request, expires },
    request: JSON.parse(Buffer.from(request, 'base64url').toString('utf8')) as Asked['request'],
  };
}

export class OkxPayer {
  private readonly abi = readArtefact('PaymentChannel').abi;
  private escrow: Hex = zeroAddress;
  private chainId = 0;
  private currency: Hex = zeroAddress;
  id: Hex = '0x';
  deposit = 0n;
  /** The highest voucher, and how much of it is thought to be spent. */
  cumulative = 0n;
  private signature: Hex | undefined;
  spent = 0n;
  private opening = {};
  /** Vouchers that were signed. */
  signed = 0;
  /** Seconds for which a deposit is signed, if not for as long as payers do, and what its credential says beside the truth. */
  validSecs: bigint | undefined;
  lies = {};

  constructor(
    private readonly chain: Chain,
    private readonly payer: PrivateKeyAccount,
    private readonly url: string,
    private readonly fetch: typeof globalThis.fetch = globalThis.fetch,
  ) {}

  private wallet() {
    return createWalletClient({ account: this.payer, chain: this.chain.chain, transport: http(this.chain.url) });
  }

  private async asked(): Promise<Asked> {
    const answer = await this.fetch(this.url);
    await answer.arrayBuffer();
    const found = read(answer.headers.get('www-authenticate') ?? '');
    if (found.challenge.intent !== 'session') throw new Error('no session is offered');
    return found;
  }

  private async send(asked: Asked, payload: object, init: RequestInit = {}): Promise<Answer> {
    const named =
      'hash' in payload || 'authorization' in payload
        ? { source: `did:pkh:eip155:${asked.request.methodDetails.chainId}:${this.payer.address}` }
        : {};
    const token = Buffer.from(JSON.stringify({ challenge: asked.challenge, payload, ...named })).toString('base64url');
    const answer = await this.fetch(this.url, { ...init, headers: { authorization: `Payment ${token}` } });
    const body = await answer.text();
    const receipt = answer.headers.get('payment-receipt');
    const told: Answer = { status: answer.status, body };
    if (receipt !== null) told.receipt = JSON.parse(Buffer.from(receipt, 'base64url').toString('utf8')) as NonNullable<Answer['receipt']>;
    if (answer.status >= 400) told.code = (JSON.parse(body) as { code: number }).code;
    return told;
  }

  private async sign(cumulative: bigint): Promise<Hex> {
    this.signed += 1;
    return this.payer.signTypedData({
      domain: { name: 'EVM Payment Channel', version: '1', chainId: this.chainId, verifyingContract: this.escrow },
      types: VOUCHER,
      primaryType: 'Voucher',
      message: { channelId: this.id, cumulativeAmount: cumulative },
    });
  }

  private async mined(hash: Hex): Promise<Hex> {
    const { status } = await this.chain.publicClient.waitForTransactionReceipt({ hash });
    if (status !== 'success') throw new Error(`${hash} failed`);
    return hash;
  }

  /** Calls the escrow contract. */
  async call(functionName: string, args: unknown[]): Promise<Hex> {
    return this.mined(await this.wallet().writeContract({ address: this.escrow, abi: this.abi, functionName, args }));
  }

  private async allow(amount: bigint) {
    await this.mined(
      await this.wallet().writeContract({ address: this.currency, abi: erc20Abi, functionName: 'approve', args: [this.escrow, amount] }),
    );
  }

  /** Signs a deposit for the escrow contract. */
  private async authorize(value: bigint, nonce: Hex, expires: string) {
    const token = {
      address: this.currency,
      abi: parseAbi(['function name() view returns (string)', 'function version() view returns (string)']),
    };
    const [name, version, { timestamp }] = await Promise.all([
      this.chain.publicClient.readContract({ ...token, functionName: 'name' }),
      this.chain.publicClient.readContract({ ...token, functionName: 'version' }),
      this.chain.publicClient.getBlock(),
    ]);
    const least = BigInt(Math.ceil(Date.parse(expires) / 1000) + 60);
    const usual = least > timestamp + 300n ? least : timestamp + 300n;
    const validBefore = this.validSecs === undefined ? usual : timestamp + this.validSecs;
    const message = { from: this.payer.address, to: this.escrow, value, validAfter: 0n, validBefore, nonce };
    const domain = { name, version, chainId: this.chainId, verifyingContract: this.currency };
    const signature = await this.payer.signTypedData({ domain, types: RECEIVE, primaryType: 'ReceiveWithAuthorization', message });
    const texts = { value: String(value), validAfter: '0', validBefore: String(validBefore) };
    return { authorization: { type: 'eip-3009', ...message, ...texts }, signature };
  }

  /** Opens a channel with this deposit. */
  async open(deposit: bigint, salt: Hex = toHex(1, { size: 32 })): Promise<Answer> {
    const asked = await this.asked();
    const {
      recipient,
      currency,
      methodDetails: { chainId, escrowContract },
    } = asked.request;
    [this.escrow, this.chainId, this.currency] = [escrowContract, chainId, currency];
    this.id = hashed(
      ['address', 'address', 'address', 'bytes32', 'address', 'address', 'uint256'],
      [this.payer.address, recipient, currency, salt, zeroAddress, escrowContract, BigInt(chainId)],
    );
    if (asked.request.methodDetails.feePayer) {
      const parties = [this.payer.address, recipient, currency, salt, zeroAddress, [], []];
      const nonce = hashed(['address', 'address', 'address', 'bytes32', 'address', 'address[]', 'uint16[]'], parties);
      const [signed, voucherSignature] = [await this.authorize(deposit, nonce, asked.challenge.expires), await this.sign(0n)];
      this.deposit = deposit;
      this.opening = { action: 'open', type: 'transaction', channelId: this.id, salt, ...signed, cumulativeAmount: '0', voucherSignature };
      return this.send(asked, { ...this.opening, ...this.lies });
    }
    await this.allow(deposit);
    const hash = await this.call('open', [recipient, currency, deposit, salt, zeroAddress]);
    this.deposit = deposit;
    const signature = await this.sign(0n);
    this.opening = { action: 'open', type: 'hash', channelId: this.id, salt, hash, cumulativeAmount: '0', signature };
    return this.send(asked, this.opening);
  }

  /** Shows the opening again: the gate looks at the chain. */
  async see(): Promise<Answer> {
    return this.send(await this.asked(), this.opening);
  }

  /** Adds to the deposit. */
  async topUp(amount: bigint): Promise<Answer> {
    const asked = await this.asked();
    if (asked.request.methodDetails.feePayer) {
      const topUpSalt = toHex(this.deposit, { size: 32 });
      const nonce = hashed(['bytes32', 'uint128', 'address', 'bytes32'], [this.id, amount, this.payer.address, topUpSalt]);
      const payload = {
        action: 'topUp',
        type: 'transaction',
        channelId: this.id,
        topUpSalt,
        ...(await this.authorize(amount, nonce, asked.challenge.expires)),
        additionalDeposit: String(amount),
      };
      this.deposit += amount;
      return this.again(payload, asked);
    }
    await this.allow(amount);
    const hash = await this.call('topUp', [this.id, amount]);
    this.deposit += amount;
    const adding = { action: 'topUp', type: 'hash', channelId: this.id, hash, additionalDeposit: String(amount) };
    return this.again(adding, asked);
  }

  /** Sends what may have come too early, and once more if it has. */
  private async again(payload: object, asked: Asked): Promise<Answer> {
    const answer = await this.send(asked, payload);
    if (answer.code !== 70007) return answer;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    return this.send(await this.asked(), payload);
  }

  private async voucher(cumulative: bigint, init: RequestInit): Promise<Response> {
    const asked = await this.asked();
    if (this.signature === undefined || cumulative > this.cumulative)
      [this.signature, this.cumulative] = [await this.sign(cumulative), cumulative];
    const payload = { action: 'voucher', channelId: this.id, cumulativeAmount: String(cumulative), signature: this.signature };
    const token = Buffer.from(JSON.stringify({ challenge: asked.challenge, payload })).toString('base64url');
    return fetch(this.url, { ...init, headers: { authorization: `Payment ${token}` } });
  }

  /** Pays with a voucher of this amount; the answer is not read. */
  async begin(cumulative: bigint, init: RequestInit = {}): Promise<Response> {
    return this.voucher(cumulative, init);
  }

  /** Brings a voucher of this amount by a request of its own; what is spent by then. */
  async raise(cumulative: bigint): Promise<bigint> {
    const answer = await this.voucher(cumulative, { method: 'POST' });
    const body = await answer.text();
    if (answer.status !== 200) throw new Error(body);
    return BigInt((JSON.parse(body) as { spent: string }).spent);
  }

  /** One request. `ahead` is how much more than its price a new voucher is for. */
  async buy(ahead = 0n): Promise<Answer> {
    const asked = await this.asked();
    const unit = BigInt(asked.request.amount);
    const next = this.cumulative + unit + ahead;
    if (this.signature === undefined || this.cumulative - this.spent < unit) {
      if (next > this.deposit) await this.topUp(next - this.deposit);
      [this.signature, this.cumulative] = [await this.sign(next), next];
    }
    const answer = await this.show(asked);
    if (answer.code !== 70015) return answer;
    this.spent = this.cumulative;
    [this.signature, this.cumulative] = [await this.sign(this.cumulative + unit), this.cumulative + unit];
    return this.show(await this.asked());
  }

  private async show(asked: Asked): Promise<Answer> {
    const answer = await this.send(asked, {
      action: 'voucher',
      channelId: this.id,
      cumulativeAmount: String(this.cumulative),
      signature: this.signature,
    });
    if (answer.status === 200) this.spent += BigInt(asked.request.amount);
    return answer;
  }

  async close(): Promise<Answer> {
    const asked = await this.asked();
    const signature = this.signature ?? (await this.sign(this.cumulative));
    return this.send(asked, { action: 'close', channelId: this.id, cumulativeAmount: String(this.cumulative), signature });
  }
}
