/** Payments that nobody vouches for yet: whom junk slows, and that it stops nobody, from the same address and in the same name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { encodeFunctionData, parseAbi } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { challengeOf, credential } from '../support/mpp-wire.ts';
import { Client } from './support/client.ts';
import { type FacilitatorCall, refusedVerify } from './support/facilitator.ts';
import { rowsOf } from './support/operator.ts';
import { freshPayer, type JsonObject, type Payer } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import { TransferNode } from './support/transfers.ts';
import { ASSET, jsonOf, openWorld, PAY_TO, payFor, send, type World } from './support/world.ts';

const SHARED = ['CF-Connecting-IP', '203.0.113.50'] as const;
const SHORT = { price: '$0.01', max_timeout_secs: 200, origin_timeout_secs: 5 };
const TRANSFER = parseAbi(['function transfer(address to, uint256 value)']);
const [GOOD, JUNK] = ['cd', 'ab'].map((byte) => `0x${byte.repeat(97)}`) as [string, string];
const HONEST = 50;
/** No row is looked at again by itself. */
const UNHURRIED = { settle_secs: 2, resend_secs: [600], chain_secs: [600, 600], refund_secs: 600 };

/** Repeats this all the time, so often at once, until it is stopped; gives how often it was done. */
function flood(atOnce: number, once: () => Promise<unknown>): { stop(): Promise<number> } {
  const state = { goes: true, done: 0 };
  const all = Array.from({ length: atOnce }, async () => {
    // What is lost when the world ends is nobody's failure.
    while (
      state.goes &&
      (await once().then(
        () => true,
        () => false,
      ))
    )
      state.done += 1;
  });
  return {
    stop: async () => {
      state.goes = false;
      await Promise.all(all);
      return state.done;
    },
  };
}

function codes(answers: readonly Answer[]): string[] {
  return [...new Set(answers.map((answer) => (answer.status === 200 ? '200' : String(jsonOf(answer)['code']))))];
}

describe('hashes of transactions', () => {
  // A-153, I-25
  it("fifty good ones are served beside a flood in their payer's name and from his address", async () => {
    const node = await TransferNode.start();
    const routes = [{ path: '/shown/*', hash_mode: true, ...SHORT }];
    const world = await openWorld({ routes, vars: { RPC_URL: node.url } });
    const victim = privateKeyToAccount(generatePrivateKey());
    const source = `did:pkh:eip155:84532:${victim.address}`;
    const shown = async (path: string, hash: string): Promise<HeaderRow> => {
      const asked = await world.gate.raw('GET', path, [SHARED]);
      const { description: _, ...challenge } = challengeOf(asked.headers['www-authenticate']);
      return ['Authorization', credential({ challenge, payload: { type: 'hash', hash }, source })];
    };
    const sent = async (nonce: number): Promise<string> => {
      const data = encodeFunctionData({ abi: TRANSFER, functionName: 'transfer', args: [PAY_TO, 10_000n] });
      node.sender = victim.address;
      return node.take(
        await victim.signTransaction({
          type: 'eip1559',
          chainId: 84532,
          nonce,
          gas: 80_000n,
          maxFeePerGas: 10n,
          maxPriorityFeePerGas: 1n,
          to: ASSET,
          data,
        }),
      );
    };
    try {
      let made = 0;
      const junk = flood(12, async () => {
        made += 1;
        const unknown = `0x${made.toString(16).padStart(64, '5a')}`;
        await world.gate.raw('GET', '/shown/junk', [SHARED, await shown('/shown/junk', unknown)]);
      });
      const answers: Answer[] = [];
      for (let nonce = 0; nonce < HONEST; nonce += 1) {
        const path = `/shown/good-${nonce}`;
        const row = await shown(path, await sent(nonce));
        answers.push(await world.gate.raw('GET', path, [SHARED, row]));
      }
      assert.deepEqual(codes(answers), ['200']);
      assert.ok((await junk.stop()) > 0);
    } finally {
      await Promise.all([world.stop(), node.stop()]);
    }
  });
});

describe('a hash that no node knows', () => {
  //
  it('holds up nothing of the payer whom it names, also when its object starts anew', async () => {
    const node = await TransferNode.start();
    const world = await openWorld({
      routes: [{ path: '/shown/*', hash_mode: true, ...SHORT }],
      vars: { RPC_URL: node.url, RECOVERY: UNHURRIED },
    });
    try {
      const named = freshPayer();
      const asked = await world.gate.raw('GET', '/shown/same');
      const { description: _, ...challenge } = challengeOf(asked.headers['www-authenticate']);
      const payload = { type: 'hash', hash: `0x${'5a'.repeat(32)}` };
      const row = ['Authorization', credential({ challenge, payload, source: `did:pkh:eip155:84532:${named.address}` })] as const;
      const first = await world.gate.raw('GET', '/shown/same', [row]);
      assert.deepEqual([first.status, codes([first])], [503, ['settlement_unknown']], first.text);
      assert.deepEqual(
        (await rowsOf(world, named.address)).map(({ state }) => state),
        ['unknown'],
      );
      const paid = async (): Promise<Answer> => send(world, '/shown/same', await payFor(world, '/shown/same', { payer: named }));
      assert.deepEqual(codes([await paid()]), ['200']);
      await world.gate.restart();
      assert.deepEqual(codes([await paid()]), ['200']);
    } finally {
      await Promise.all([world.stop(), node.stop()]);
    }
  });
});

describe('signatures that only a contract knows', () => {
  const within = async (
    work: (world: World, seen: { junk: number; atOnce: number; most: number }) => Promise<void>,
    junkMs = 0,
  ): Promise<void> => {
    const routes = [{ path: '/wallet/*', ...SHORT }];
    const world = await openWorld({ routes, vars: { CONTRACT_WALLETS: 'facilitator' } });
    const seen = { junk: 0, atOnce: 0, most: 0 };
    world.facilitator.gatekeeper = ({ operation, body }: FacilitatorCall) => {
      if (operation !== 'verify' || !body.includes(JUNK)) return undefined;
      seen.junk += 1;
      seen.atOnce += 1;
      seen.most = Math.max(seen.most, seen.atOnce);
      setTimeout(() => {
        seen.atOnce -= 1;
      }, junkMs);
      const { body: refusal } = refusedVerify('invalid_exact_evm_payload_signature') as { body: unknown };
      return { kind: 'json', body: refusal, delayMs: junkMs };
    };
    try {
      await work(world, seen);
    } finally {
      await world.stop();
    }
  };
  const wallet = (client: Client, signature: string, path: string): Promise<Answer> =>
    client.pay(path, {
      tamper: (message) => {
        (message['payload'] as JsonObject)['signature'] = signature;
      },
    });
  const behind = (world: World, payer: Payer = freshPayer(), address: string = SHARED[1]): Client => new Client(world, { payer, address });

  //
  it('fifty good ones are served beside a flood of forged ones in the same name from the same address', () =>
    within(async (world, seen) => {
      const victim = behind(world);
      const junk = flood(12, () => wallet(victim, JUNK, '/wallet/junk'));
      const answers: Answer[] = [];
      for (let turn = 0; turn < HONEST; turn += 1) answers.push(await wallet(victim, GOOD, `/wallet/good-${turn}`));
      assert.deepEqual(codes(answers), ['200']);
      await junk.stop();
      assert.ok(seen.junk > HONEST, `${seen.junk} forged ones were looked at meanwhile`);
      assert.ok(seen.most <= 16, `${seen.most} of them at once`);
    }));

  it('many honest payers behind an address that sent junk all minute are served', () =>
    within(async (world) => {
      for (let turn = 0; turn < 40; turn += 1) await wallet(behind(world), JUNK, '/wallet/junk');
      const answers = await Promise.all(Array.from({ length: 20 }, (_, turn) => wallet(behind(world), GOOD, `/wallet/late-${turn}`)));
      assert.deepEqual(codes(answers), ['200']);
    }));

  it('forged ones that take long hold up neither who waits behind the same address for ever, nor anybody else', () =>
    within(async (world, seen) => {
      const junk = flood(10, () => wallet(behind(world), JUNK, '/wallet/slow'));
      const elsewhere = await wallet(behind(world, freshPayer(), '203.0.113.51'), GOOD, '/wallet/elsewhere');
      assert.equal(elsewhere.status, 200, elsewhere.text);
      const answers: Answer[] = [];
      for (let turn = 0; turn < 10; turn += 1) answers.push(await wallet(behind(world), GOOD, `/wallet/patient-${turn}`));
      assert.deepEqual(codes(answers), ['200']);
      await junk.stop();
      assert.ok(seen.most <= 16, `${seen.most} at once`);
    }, 300));
});
