/** Ways of the original that a profile takes when its operator says so: transfers that a buyer makes itself, and callbacks that a seller signs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { createWalletClient, encodeFunctionData, type Hex, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { readArtefact } from '../../../demo/chain.mjs';
import { LIVE, type OnlineSeller, standardProfiles, startExchangeWorld, type Wallet } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';
import { sharedWorld } from '../../support/suite.ts';
import { type Answer, type Deal, dies, diesIn, lost, PRICE, quoted, quotedBy, works } from './support.ts';

/** Blocks that a transfer needs in this world. */
const BLOCKS = 3;

describe('an exchange that takes what the original took', { concurrency: 1 }, () => {
  const world = sharedWorld(() =>
    startExchangeWorld({
      profiles: (wallets) =>
        standardProfiles(wallets).map((profile) =>
          profile.profile === LIVE ? { ...profile, direct_transfers: BLOCKS, seller_signatures: true } : profile,
        ),
    }),
  );

  const codeOf = ({ status, json }: Answer): [number, string] => [status, json.code];
  const sign = (wallet: Wallet, message: string) => privateKeyToAccount(wallet.privateKey).signMessage({ message });
  const mine = async (blocks: number) => {
    for (let block = 0; block < blocks; block += 1) await world.chain.rpc('evm_mine', []);
  };

  describe('15: a transfer by hash', () => {
    /** A transaction of a wallet's own, with so many blocks. */
    async function sent(from: Wallet, to: string, data: Hex, blocks = BLOCKS): Promise<Hex> {
      await world.chain.rpc('anvil_setBalance', [from.address, '0xde0b6b3a7640000']);
      const wallet = createWalletClient({
        account: privateKeyToAccount(from.privateKey),
        chain: world.chain.chain,
        transport: http(world.chain.url),
      });
      const hash = await wallet.sendTransaction({ to: to as Hex, data });
      await world.chain.publicClient.waitForTransactionReceipt({ hash });
      await mine(blocks - 1);
      return hash;
    }
    const transfer = (from: Wallet, to: string, amount: bigint, blocks = BLOCKS) =>
      sent(
        from,
        world.chain.token.address,
        encodeFunctionData({ abi: world.chain.token.abi, functionName: 'transfer', args: [to, amount] }),
        blocks,
      );
    const show = async ({ quote, buyer }: Deal, tx_hash: string, { as = buyer, signature }: { as?: Wallet; signature?: string } = {}) =>
      world.ask('POST', '/api/v1/jobs/verify', {
        body: {
          fingerprint: quote.fingerprint,
          tx_hash,
          buyer_signature: signature ?? (await sign(as, quote.fingerprint)),
          payload: {
            buyer_id: buyer.address,
            capability: quote.accepts[0].description.split(' ')[1],
            prompt: 'hello',
            network_profile: LIVE,
          },
        },
      });
    const seat = async (deal: Deal): Promise<string> => (await world.call(deal.seller, 'sellers/heartbeat')).json.seller_status;

    it('is one job of who made it, once it has its blocks, and its seller is paid', async () => {
      const deal = await quoted(world, 'direct');
      const hash = await transfer(deal.buyer, deal.quote.pay_to, PRICE, 1);
      for (const blocks of [1, 2]) {
        const early = await show(deal, hash);
        assert.deepEqual(
          [...codeOf(early), early.json.error],
          [400, 'RECEIPT_NOT_FOUND', `The transaction has ${blocks} of 3 blocks; show it again later.`],
        );
        assert.equal(await seat(deal), 'reserved');
        await mine(1);
      }
      const paid = await show(deal, hash);
      assert.deepEqual(
        [paid.status, paid.json.status, paid.json.payment_mode, paid.json.settlement_tx_hash],
        [200, 'paid', 'direct-escrow', hash],
        paid.text,
      );
      assert.deepEqual((await show(deal, `0x${hash.slice(2).toUpperCase()}`)).json, paid.json, 'shown again it is the same job');
      assert.equal(await world.held(), PRICE);
      await deal.call('start', paid.json.job_id);
      const done = await deal.call('complete', paid.json.job_id);
      assert.deepEqual(
        [done.status, done.json.release.status, await deal.moved(), await world.held()],
        [200, 'released', [PRICE, PRICE], 0n],
        done.text,
      );
      const other = await quotedBy(world, deal.seller, 'direct');
      assert.deepEqual(codeOf(await show(other, hash)), [409, 'TX_ALREADY_USED']);
      const own = await world.quote(deal.buyer, 'hello', { capability: 'direct', headers: world.client() });
      assert.equal(own.status, 503, "its seat is the other one's");
    });

    it('is of no use to who reads it on the chain', async () => {
      const deal = await quoted(world, 'read');
      const hash = await transfer(deal.buyer, deal.quote.pay_to, PRICE);
      const thief = await quoted(world, 'thief');
      assert.deepEqual(codeOf(await show(thief, hash)), [400, 'TX_TOKEN_TRANSFER_MISMATCH'], "it is not the thief's transfer");
      for (const theirs of [
        { as: thief.buyer },
        { signature: await sign(deal.buyer, hash) },
        { signature: '0x' },
        { signature: `0x${'00'.repeat(65)}` },
      ]) {
        assert.deepEqual(codeOf(await show(deal, hash, theirs)), [403, 'BUYER_SIGNATURE_INVALID'], JSON.stringify(theirs));
      }
      const paid = await show(deal, hash);
      assert.equal(paid.status, 200, paid.text);
      await deal.call('start', paid.json.job_id);
      await deal.call('fail', paid.json.job_id, { error: 'no quota' });
      assert.deepEqual([await deal.moved(), await world.held()], [[0n, 0n], 0n]);
      assert.deepEqual(codeOf(await show(thief, hash)), [409, 'TX_ALREADY_USED']);
    });

    it('of another amount, payee, payer or token buys nothing, and neither does a call that fails', async () => {
      const deal = await quoted(world, 'wrong');
      const stranger = await world.wallet();
      const call = (functionName: string, args: unknown[]) => encodeFunctionData({ abi: world.chain.token.abi, functionName, args });
      const table: [string, string, Hex][] = [
        ['TX_TOKEN_TRANSFER_MISMATCH', 'less', await transfer(deal.buyer, deal.quote.pay_to, PRICE - 1n)],
        ['TX_TOKEN_TRANSFER_MISMATCH', 'more', await transfer(deal.buyer, deal.quote.pay_to, PRICE + 1n)],
        ['TX_TOKEN_TRANSFER_MISMATCH', 'payee', await transfer(deal.buyer, stranger.address, PRICE)],
        ['TX_TOKEN_TRANSFER_MISMATCH', 'payer', await transfer(stranger, deal.quote.pay_to, PRICE)],
        ['TX_TOKEN_TRANSFER_MISSING', 'no token', await sent(deal.buyer, stranger.address, call('transfer', [deal.quote.pay_to, PRICE]))],
        [
          'TX_TOKEN_TRANSFER_MISSING',
          'no transfer',
          await sent(deal.buyer, world.chain.token.address, call('approve', [deal.quote.pay_to, PRICE])),
        ],
        ['RECEIPT_NOT_FOUND', 'none', `0x${'ab'.repeat(32)}`],
      ];
      for (const [code, what, hash] of table) assert.deepEqual(codeOf(await show(deal, hash)), [400, code], what);
      for (const hash of ['0x12345678', '0xabc123', 'abc', `${table[0]![2]}00`])
        assert.deepEqual(codeOf(await show(deal, hash)), [400, 'INVALID_TX_HASH']);
      assert.deepEqual([await seat(deal), (await world.call(deal.seller, 'sellers/jobs')).json.jobs], ['reserved', []]);
    });

    //
    it('of what the gate settled buys nothing more', async () => {
      const deal = await quoted(world, 'settled');
      const { json } = await deal.verify();
      const again = await quotedBy(world, await world.seller({ capability: 'settled' }), 'settled');
      assert.deepEqual(codeOf(await show(again, json.settlement_tx_hash)), [409, 'TX_ALREADY_USED']);
      await deal.call('start', json.job_id);
      await deal.call('complete', json.job_id);
    });

    it('that came too late is paid back', async () => {
      const held = await world.held();
      const deal = await quoted(world, 'late');
      await world.call(deal.seller, 'sellers/offline');
      await world.wait(301);
      const hash = await transfer(deal.buyer, deal.quote.pay_to, PRICE);
      assert.deepEqual(codeOf(await show(deal, hash)), [409, 'QUOTE_EXPIRED']);
      await eventually(
        'it is paid back',
        async () => [...(await deal.moved()), await world.held()],
        ([paid, , now]) => paid === 0n && now === held,
      );
    });

    it('is one job, paid once, though the market dies while it reads the chain, and after', async () => {
      const held = await world.held();
      const deal = await quoted(world, 'dies');
      const hash = await transfer(deal.buyer, deal.quote.pay_to, PRICE);
      await diesIn(world, 'market', world.switches.node, { text: hash }, () => show(deal, hash).catch(lost));
      const paid = await eventually(
        'it is shown',
        () => show(deal, hash),
        ({ status }) => status === 200,
      );
      await dies(world, 'market');
      assert.deepEqual((await show(deal, hash)).json, paid.json);
      const id = paid.json.job_id;
      await deal.call('start', id);
      await diesIn(world, 'market', world.switches.facilitator, { path: '/settle' }, () => deal.call('complete', id));
      await works(deal);
      await eventually(
        'its seller is paid',
        async () => [...(await deal.moved()), await world.held()],
        ([out, earned, now]) => out === PRICE && earned === PRICE && now === held,
      );
    });

    it('cannot be judged without a node, and is not lost', async () => {
      const deal = await quoted(world, 'no-node');
      const hash = await transfer(deal.buyer, deal.quote.pay_to, PRICE);
      world.switches.node.set({ mode: 'cut' });
      assert.deepEqual(codeOf(await show(deal, hash)), [500, 'RECEIPT_VERIFY_FAILED']);
      world.switches.node.set();
      assert.equal((await show(deal, hash)).status, 200);
    });
  });

  describe('24: a seller that signs its callbacks', () => {
    const signer =
      (account: Wallet, id: string = account.address) =>
      async (action: string, job: string, at: number) => {
        const seller_signed_at = new Date(at * 1000).toISOString();
        const message = `QuotaDEX Seller Callback\naction: ${action}\njob_id: ${job}\nseller_id: ${id}\nsigned_at: ${seller_signed_at}`;
        return { seller_id: id, seller_signature: await sign(account, message), seller_signed_at };
      };
    const start = (id: string, body: object) => world.ask('POST', `/api/v1/jobs/${id}/start`, { body });
    const INVALID = [403, 'SELLER_SIGNATURE_INVALID'];
    async function bought() {
      const deal = await quoted(world, `signed-${(count += 1)}`);
      const { json } = await deal.verify();
      return { deal, id: json.job_id as string, signed: signer(deal.seller.wallet) };
    }
    let count = 0;

    it('needs no session to poll, begin and deliver', async () => {
      const { deal, id, signed } = await bought();
      const { json } = await world.ask('POST', '/api/v1/sellers/jobs', {
        body: { network_profile: LIVE, ...(await signed('poll', 'seller-jobs', world.now())) },
      });
      assert.deepEqual(
        json.jobs.map((job: any) => job.job_id),
        [id],
      );
      assert.equal((await start(id, await signed('start', id, world.now()))).status, 200);
      const done = await world.ask('POST', `/api/v1/jobs/${id}/complete`, {
        body: { result: 'ok', ...(await signed('complete', id, world.now())) },
      });
      assert.deepEqual([done.status, done.json.status, await deal.earned()], [200, 'done', PRICE], done.text);
    });

    it('has five minutes for it, and its clock is at most a minute ahead', async () => {
      const { id, signed } = await bought();
      for (const age of [301, 3_600, -70])
        assert.deepEqual(codeOf(await start(id, await signed('start', id, world.now() - age))), INVALID, `${age}`);
      assert.equal((await start(id, await signed('start', id, world.now() - 290))).status, 200);
      const ahead = await bought();
      assert.equal((await start(ahead.id, await ahead.signed('start', ahead.id, world.now() + 50))).status, 200);
    });

    it('signs one action of one job as itself', async () => {
      const { id, signed } = await bought();
      const other = await bought();
      const now = world.now();
      const right = await signed('start', id, now);
      for (const body of [
        await signed('complete', id, now),
        await signed('start', other.id, now),
        { ...right, seller_signed_at: new Date((now + 1) * 1000).toISOString() },
        { ...right, seller_signature: (await other.signed('start', id, now)).seller_signature },
        { ...right, seller_signature: 'zz' },
        { seller_id: right.seller_id, seller_signature: right.seller_signature },
        { ...right, seller_signed_at: 'today' },
      ])
        assert.deepEqual(codeOf(await start(id, body)), INVALID, JSON.stringify(body));
      assert.deepEqual(codeOf(await start(other.id, await signed('start', other.id, now))), [403, 'SELLER_MISMATCH']);
      assert.equal((await start(id, right)).status, 200);
      assert.deepEqual(codeOf(await start(id, right)), [409, 'INVALID_JOB_STATE']);
    });

    it('may be a wallet that is a contract, which is asked', async () => {
      const owner = await world.wallet();
      const deployer = createWalletClient({
        account: world.chain.accounts.payers[0]!,
        chain: world.chain.chain,
        transport: http(world.chain.url),
      });
      const { abi, bytecode } = readArtefact('Wallet') as { abi: any; bytecode: Hex };
      const { contractAddress: address } = await world.chain.publicClient.waitForTransactionReceipt({
        hash: await deployer.deployContract({ abi, bytecode, args: [owner.address] }),
      });
      const seller: OnlineSeller = { wallet: { ...owner, address: address! }, agent: 'contract-seller', profile: LIVE, token: '' };
      await world.call(seller, 'sellers/register', { capability: 'by-contract', price_per_task: '0.005', passport_agent_id: seller.agent });
      seller.token = await world.session(seller);
      await world.call(seller, 'sellers/heartbeat');
      const deal = await quotedBy(world, seller, 'by-contract');
      const { job_id: id } = (await deal.verify()).json;
      const stranger = await world.wallet();
      assert.deepEqual(codeOf(await start(id, await signer(stranger, address!)('start', id, world.now()))), INVALID);
      world.switches.node.set({ mode: 'cut' });
      assert.deepEqual(codeOf(await start(id, await signer(owner, address!)('start', id, world.now()))), INVALID);
      world.switches.node.set();
      assert.equal((await start(id, await signer(owner, address!)('start', id, world.now()))).status, 200);
    });
  });
});
