// The reference facilitator over HTTP: x402 v2 and v1, scheme `exact`, and v2 `batch-settlement`, settling on the local chain.
//
// One signer serves both versions. v1 is not another scheme object of the same class: the package has
// `ExactEvmSchemeV1`, registered under v1 network names, and answers `x402Version: 1` requests with it.

import { x402Facilitator } from '@x402/core/facilitator';
import { toFacilitatorEvmSigner } from '@x402/evm';
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/facilitator';
import { ExactEvmScheme } from '@x402/evm/exact/facilitator';
import { ExactEvmSchemeV1 } from '@x402/evm/exact/v1/facilitator';
import { UptoEvmScheme } from '@x402/evm/upto/facilitator';
import { createWalletClient, http, publicActions } from 'viem';

import { NETWORK, NETWORK_V1 } from './chain.mjs';
import { serve } from './server.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startFacilitator>>} Facilitator
 */

/**
 * Serves `POST /verify`, `POST /settle` and `GET /supported`; `counts` says how often each was asked, and
 * `countsOf` how often for one payer.
 *
 * `factories` are the contracts that it lets deploy wallets (ERC-6492).
 *
 * @param {{chain: import('./chain.mjs').Chain, port?: number, factories?: string[]}} options
 */
export async function startFacilitator({ chain, port, factories = [] }) {
  const facilitator = reference(chain, factories);
  const counts = { verify: 0, settle: 0, supported: 0 };
  /** @type {Map<string, { verify: number, settle: number }>} */
  const byPayer = new Map();
  const countsOf = (/** @type {string} */ payer) => byPayer.get(payer.toLowerCase()) ?? { verify: 0, settle: 0 };

  const { url, stop } = await serve(
    async (request, response) => {
      /** @type {(status: number, body: unknown) => void} */
      const answer = (status, body) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? value.toString() : value)));
      };
      try {
        const target = `${request.method} ${request.url}`;
        if (target === 'GET /supported') {
          counts.supported += 1;
          return answer(200, facilitator.getSupported());
        }
        if (target !== 'POST /verify' && target !== 'POST /settle') return answer(404, { error: 'not found' });
        const operation = target === 'POST /verify' ? 'verify' : 'settle';
        counts[operation] += 1;
        const asked = await readJson(request);
        if (!asked?.paymentPayload || !asked.paymentRequirements) {
          return answer(400, { error: 'Missing paymentPayload or paymentRequirements' });
        }
        const { authorization, permit2Authorization, channelConfig } = asked.paymentPayload.payload ?? {};
        const payer = String((authorization ?? permit2Authorization)?.from ?? channelConfig?.payer).toLowerCase();
        const ofPayer = countsOf(payer);
        byPayer.set(payer, { ...ofPayer, [operation]: ofPayer[operation] + 1 });
        return answer(200, await facilitator[operation](asked.paymentPayload, asked.paymentRequirements));
      } catch (error) {
        return answer(500, { error: error instanceof Error ? error.message : String(error) });
      }
    },
    { port },
  );
  return { url, counts, countsOf, stop };
}

/**
 * @param {import('./chain.mjs').Chain} chain
 * @param {string[]} factories
 */
function reference(chain, factories) {
  const account = chain.accounts.facilitator;
  const wallet = createWalletClient({ account, chain: chain.chain, transport: http(chain.url), pollingInterval: 20, cacheTime: 0 }).extend(
    publicActions,
  );
  // One send at a time: the next nonce is read after the last transaction is in a block. viem's
  // nonceManager forgets its count whenever a send is refused, and so breaks concurrent sends.
  const inTurn = queue();
  const signer = toFacilitatorEvmSigner(
    /** @type {any} */ ({
      ...wallet,
      address: account.address,
      writeContract: (/** @type {any} */ call) => inTurn(() => wallet.writeContract(call)),
      sendTransaction: (/** @type {any} */ call) => inTurn(() => wallet.sendTransaction(call)),
    }),
  );
  return (
    new x402Facilitator()
      .registerExtension({ key: 'eip2612GasSponsoring' })
      .register(NETWORK, new ExactEvmScheme(signer, { eip6492AllowedFactories: factories }))
      .register(NETWORK, new UptoEvmScheme(signer))
      // Without a key of its own it signs no claims and no refunds: sellers do.
      .register(NETWORK, new BatchSettlementEvmScheme(signer))
      .registerV1(/** @type {any} */ (NETWORK_V1), new ExactEvmSchemeV1(signer))
  );
}

/**
 * Runs tasks one after the other, in the order of the calls; a failure stops none of the later ones.
 *
 * @returns {<T>(task: () => Promise<T>) => Promise<T>}
 */
function queue() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  return (task) => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<any>}
 */
async function readJson(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

const BODY_BYTES = 65_536;
