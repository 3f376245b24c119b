/** workerd is killed with SIGKILL while payments stand at every step; what an agent and an operator see afterwards. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { halfFirst, holdFirst, Merchant } from './support/merchant.ts';
import { type Answer, bootstrapKey, Treasury } from './support/worker.ts';

const DECISIONS = '/api/sdk/payment-decisions';
/** A signer that does not answer. */
const SIGNER = (): Promise<Response> => new Promise(() => {});

describe('a treasury that is killed', () => {
  let treasury: Treasury;
  let merchant: Merchant;
  let token: string;
  const finals = new Map<string, Answer>();
  const paths = { asked: '/asked', half: '/half', posted: '/posted', done: '/done' } as const;

  const decide = (path: string, more: Parameters<Merchant['decision']>[1] = {}): Promise<Answer> =>
    treasury.ask('POST', DECISIONS, { token, body: merchant.decision(path, { key: `key-${path}`, ...more }) });
  const again = (path: string): Promise<Answer> =>
    eventually(`an answer about ${path}`, async () => {
      const answer = await decide(
        path,
        path === '/posted' ? { method: 'POST', body: 'x' } : path === '/unsigned' ? { organization: 'bound' } : {},
      );
      return answer.json?.outcome !== 'executing' && answer;
    });

  before(
    async () => {
      merchant = await Merchant.start();
      merchant.scripts.set(paths.asked, holdFirst).set(paths.half, halfFirst).set(paths.posted, holdFirst);
      const policy = { allowedOrigins: [merchant.url], perPayment: { USDC: '0.05' } };
      treasury = await Treasury.start({
        vars: {
          SEND_SECS: 1,
          BOUND_KEY: bootstrapKey('bound', 'buyer'),
          WALLETS: [
            { name: 'main', networks: ['eip155:84532'], secret: 'WALLET_KEY' },
            { name: 'bound', networks: ['eip155:84532'], signer: 'SIGNER', address: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC' },
          ],
          ORGANIZATIONS: [
            {
              name: 'acme',
              environment: 'test',
              policy: { ...policy, wallet: 'main' },
              agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
            },
            {
              name: 'bound',
              environment: 'test',
              policy: { ...policy, wallet: 'bound' },
              agents: [{ name: 'buyer', bootstrapKey: 'BOUND_KEY' }],
            },
          ],
        },
        bound: { SIGNER },
      });
      token = await treasury.token();
      finals.set(paths.done, await decide(paths.done));
      // Their answers are lost with the process.
      void decide(paths.asked).catch(() => {});
      void decide(paths.half).catch(() => {});
      void decide(paths.posted, { method: 'POST', body: 'x' }).catch(() => {});
      const bound = await treasury.token('bound');
      void treasury
        .ask('POST', DECISIONS, { token: bound, body: merchant.decision('/unsigned', { key: 'key-unsigned', organization: 'bound' }) })
        .catch(() => {});
      for (const path of [paths.asked, paths.half, paths.posted])
        await eventually(`${path} is paid`, async () => merchant.of(path).length === 1);
      await eventually('the signer is asked', async () => {
        const { json } = await treasury.operate('GET', '/bound/decisions');
        return json?.items?.[0]?.outcome === 'executing';
      });
      await treasury.kill();
      for (const path of [paths.asked, paths.half, paths.posted]) finals.set(path, await again(path));
    },
    { timeout: 240_000 },
  );
  after(async () => {
    await treasury?.stop();
    await merchant?.stop();
  });

  it('answers what was decided before, byte for byte', async () => {
    assert.equal(finals.get(paths.done)?.json.outcome, 'allow', finals.get(paths.done)?.text);
    assert.equal((await decide(paths.done)).text, finals.get(paths.done)?.text);
    assert.equal(merchant.of(paths.done).length, 1);
  });

  for (const path of [paths.asked, paths.half]) {
    it(`sends a GET whose answer was lost once more with the same bytes (${path})`, async () => {
      assert.equal(finals.get(path)?.json.outcome, 'allow', finals.get(path)?.text);
      assert.equal(finals.get(path)?.json.merchantResponse.body, `goods of ${path}`);
      const payments = merchant.of(path).map(({ payment }) => payment);
      assert.deepEqual([payments.length, new Set(payments).size], [2, 1]);
      assert.equal((await decide(path)).text, finals.get(path)?.text);
    });
  }

  it('sends no POST again to a merchant that does not answer for its past payments, and says that the outcome is open', async () => {
    const { json, status } = finals.get(paths.posted) ?? assert.fail();
    assert.deepEqual([status, json.outcome, json.reasonCode], [201, 'inconclusive', 'merchant_transport_lost']);
    assert.equal(merchant.of(paths.posted).length, 1);
  });

  it('gives back what was reserved and never signed', async () => {
    const decision = await eventually('it is void', async () => {
      const { json } = await treasury.operate('GET', '/bound/decisions');
      return json?.items?.[0]?.outcome !== 'executing' && json.items[0];
    });
    assert.equal(decision.outcome, 'execution_failed');
    assert.equal(merchant.of('/unsigned').length, 0);
    const { json } = await treasury.operate('GET', '/bound/audit');
    assert.deepEqual(
      json.items.filter(({ counted }: { counted: string }) => Number(counted) !== 0),
      [],
    );
  });

  it('counts each payment once, however often it was sent', async () => {
    const { json } = await treasury.operate('GET', '/acme/audit');
    const counted = json.items
      .filter(({ scope }: { scope: string }) => scope === 'organization')
      .map((item: { counted: string }) => Number(item.counted));
    assert.deepEqual(counted, [0.04]);
  });
});
