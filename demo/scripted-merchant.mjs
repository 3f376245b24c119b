// A merchant that asks for money by x402 and then does what the path says, well or badly.
//
//   /honest                delivers after settling
//   /slow?ms=&times=       settles, and begins to answer late, so many times [always]
//   /lost?times=           settles, and cuts the connection before the head, so many times [always]
//   /cut                   settles, and cuts the body
//   /redirect              sends the payment to `?to=`
//   /fail/{status}         settles, and answers with that status
//   /mute/{status}         settles, and answers with that status without a word of it
//   /lie/{status}          settles, and answers with that status and a settlement of another payer
//   /reject/{status}       answers with that status and settles nothing
//   /busy?times=           503 with Retry-After so many times [1], then honest
//   /unsettled             delivers without settling
//   /twice                 settles, tries to settle again, and delivers
//   /forged?{member}=      settles nothing, and says it did, with these members of the settlement; with `paid` settles as well
//   /drift?to=             asks for another amount once it sees a payment
//   /big                   settles, and delivers 5 MiB
//   /shrinking             delivers 2 MiB without settling, and a few words from the second time on
//   /malformed, /unsupported, /mixed, /mainnet    terms that cannot be paid
//   /demo-merchant/research-brief/base-sepolia?script=    wants a body of three fields; then as `script`, such as `reject/424`
//
// `?amount=` is the price in atomic units [10000] unless `prices` has another for the path, and `?payTo=` who is paid. A second segment of any other path is free, so that requests can differ.

import { createHash, randomBytes } from 'node:crypto';

import { NETWORK, USDC } from './chain.mjs';
import { serve } from './server.mjs';
import { whole } from './switch.mjs';

/** Length of the body of `/big`. */
export const BIG_BYTES = 5 * 1024 * 1024;

/**
 * @typedef {object} Seen
 * @property {string} method
 * @property {string} path with its query
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {string} body
 * @property {string | undefined} nonce of the payment that it carried
 * @property {string | undefined} payment the header as it came
 */

/**
 * @typedef {Awaited<ReturnType<typeof startScriptedMerchant>>} ScriptedMerchant
 * @typedef {{seen: Seen, url: URL, payload: any, terms: any, response: import('node:http').ServerResponse, again: number, settle: () => Promise<any>}} Visit
 */

/**
 * Starts it. `requests` holds what arrived, oldest first, `settled` the nonces that it settled, and `prices` what paths cost from now on.
 *
 * @param {{chain: import('./chain.mjs').Chain, facilitator: {url: string}}} parts
 */
export async function startScriptedMerchant({ chain, facilitator }) {
  /** @type {Seen[]} */
  const requests = [];
  /** @type {Map<string, any>} */
  const settled = new Map();
  /** @type {Map<string, string>} */
  const prices = new Map();
  const payTo = chain.accounts.payee.address;

  const { url: base, stop } = await serve(async (request, response) => {
    try {
      const body = (await whole(request)).toString('utf8');
      const header = request.headers['payment-signature'];
      const payment = typeof header === 'string' ? header : undefined;
      const payload = payment === undefined ? undefined : JSON.parse(Buffer.from(payment, 'base64').toString('utf8'));
      const nonce = payload?.payload?.authorization?.nonce;
      const seen = { method: request.method ?? '', path: request.url ?? '/', headers: request.headers, body, nonce, payment };
      const url = new URL(seen.path, base);
      if (url.pathname.startsWith('/.well-known/') || url.pathname === '/favicon.ico') return response.writeHead(404).end();
      requests.push(seen);
      const terms = termsOf(url, payTo, prices.get(url.pathname));
      if (payload === undefined) return asks(response, url, terms);
      const again = requests.filter((one) => one.nonce === nonce).length - 1;
      const settle = async () => {
        const known = settled.get(nonce);
        if (known?.success) return known;
        const answer = await settleWith(facilitator.url, payload, terms);
        settled.set(nonce, answer);
        return answer;
      };
      return await act({ seen, url, payload, terms, response, again, settle }, facilitator.url);
    } catch (error) {
      if (response.headersSent) return response.destroy();
      return say(response, 500, { error: error instanceof Error ? error.message : String(error) });
    }
  });

  return { url: base, requests, settled, prices, stop };
}

/**
 * What it does with a payment.
 *
 * @param {Visit} visit
 * @param {string} facilitator
 */
async function act(visit, facilitator) {
  const { url, response, terms, payload, again, settle } = visit;
  const [name = '', second = ''] = scriptOf(url);
  const number = (/** @type {string} */ key, /** @type {number} */ otherwise) => Number(url.searchParams.get(key) ?? otherwise);
  switch (name) {
    case 'slow': {
      const done = await settle();
      if (again < number('times', Number.POSITIVE_INFINITY)) await whileOpen(response, number('ms', 15_000));
      return deliver(visit, done);
    }
    case 'lost': {
      const done = await settle();
      return again < number('times', Number.POSITIVE_INFINITY) ? response.destroy() : deliver(visit, done);
    }
    case 'cut': {
      const done = await settle();
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000', ...settlementHeader(done) });
      response.write('The beginning', () => response.destroy());
      return undefined;
    }
    case 'redirect':
      return response.writeHead(307, { location: url.searchParams.get('to') ?? '/honest' }).end();
    case 'fail':
      return say(response, Number(second), { error: 'upstream unavailable' }, settlementHeader(await settle()));
    case 'mute':
      await settle();
      return say(response, Number(second), { error: 'upstream unavailable' });
    case 'lie':
      return say(response, Number(second), { report: 'Rainfall, Tuesday' }, settlementHeader({ ...(await settle()), payer: terms.payTo }));
    case 'reject':
      return say(response, Number(second), { error: 'merchant rejected fulfillment' });
    case 'busy':
      return again < number('times', 1) ? say(response, 503, { error: 'busy' }, { 'retry-after': '1' }) : deliver(visit, await settle());
    case 'unsettled':
      return deliver(visit, undefined);
    case 'twice': {
      const done = await settle();
      const second = await settleWith(facilitator, payload, terms);
      return deliver(visit, done, { second: second.success });
    }
    case 'forged': {
      const { from, value } = payload.payload.authorization;
      const { paid, amount: _, ...members } = Object.fromEntries(url.searchParams);
      const done =
        paid === undefined
          ? { success: true, transaction: `0x${randomBytes(32).toString('hex')}`, network: NETWORK, payer: from, amount: value }
          : await settle();
      return deliver(visit, { ...done, ...members });
    }
    case 'drift':
      return asks(response, url, { ...terms, amount: url.searchParams.get('to') ?? String(2n * BigInt(terms.amount)) });
    case 'big': {
      const done = await settle();
      return response
        .writeHead(200, { 'content-type': 'application/octet-stream', ...settlementHeader(done) })
        .end(Buffer.alloc(BIG_BYTES, 'x'));
    }
    case 'shrinking':
      return again > 0 ? deliver(visit, undefined) : response.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(2 << 20));
    default:
      return deliver(visit, await settle());
  }
}

/**
 * Waits, but not for longer than the client does.
 *
 * @param {import('node:http').ServerResponse} response
 * @param {number} ms
 */
function whileOpen(response, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    response.once('close', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/**
 * The words of a script: those of the path, or of `?script=`.
 *
 * @param {URL} url
 */
function scriptOf(url) {
  const words = url.pathname.slice(1).split('/');
  return words[0] === 'demo-merchant' ? (url.searchParams.get('script') ?? 'honest').split('/') : words;
}

/**
 * @param {URL} url
 * @param {string} payTo
 * @param {string | undefined} price
 */
function termsOf(url, payTo, price) {
  return {
    scheme: 'exact',
    network: NETWORK,
    amount: price ?? url.searchParams.get('amount') ?? '10000',
    asset: USDC,
    payTo: url.searchParams.get('payTo') ?? payTo,
    maxTimeoutSeconds: 60,
    extra: { name: 'USDC', version: '2', precision: 6 },
  };
}

/**
 * A 402.
 *
 * @param {import('node:http').ServerResponse} response
 * @param {URL} url
 * @param {any} terms
 */
function asks(response, url, terms) {
  const [name = ''] = scriptOf(url);
  const main = {
    ...terms,
    network: 'eip155:8453',
    asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
    extra: { name: 'USD Coin', version: '2' },
  };
  /** @type {Record<string, unknown[]>} */
  const offers = {
    unsupported: [{ ...terms, scheme: 'lightning' }],
    mixed: [main, terms],
    mainnet: [main],
    malformed: [{ ...terms, amount: 'ten', payTo: 7 }],
  };
  const required = {
    x402Version: 2,
    error: 'payment required',
    resource: { url: url.href, description: 'One report' },
    accepts: offers[name] ?? [terms],
    ...(url.pathname.startsWith('/demo-merchant/') ? { extensions: { bazaar: BAZAAR } } : {}),
  };
  const header = Buffer.from(JSON.stringify(required)).toString('base64');
  response.writeHead(402, { 'payment-required': header, 'content-type': 'application/json' }).end('{"error":"payment required"}');
}

/**
 * @param {Visit} visit
 * @param {any} settlement
 * @param {object} more
 */
function deliver({ seen, response }, settlement, more = {}) {
  if (settlement !== undefined && settlement.success !== true)
    return say(response, 402, { error: settlement.errorReason ?? 'not settled' }, settlementHeader(settlement));
  const sha256 = createHash('sha256').update(seen.body).digest('hex');
  return say(
    response,
    200,
    { report: 'Rainfall, Tuesday', body: seen.body, sha256, ...more },
    {
      // What no payer has a use for.
      'set-cookie': 'session=merchant',
      ...(settlement === undefined ? {} : settlementHeader(settlement)),
    },
  );
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 * @param {Record<string, string>} headers
 */
function say(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** @param {unknown} settlement */
function settlementHeader(settlement) {
  return { 'payment-response': Buffer.from(JSON.stringify(settlement)).toString('base64') };
}

/**
 * @param {string} facilitator
 * @param {any} paymentPayload
 * @param {any} paymentRequirements
 */
async function settleWith(facilitator, paymentPayload, paymentRequirements) {
  const {
    extra: { precision: _, ...extra },
    ...requirements
  } = paymentRequirements;
  const answer = await fetch(`${facilitator}/settle`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: { ...requirements, extra } }),
  });
  return answer.json();
}

const FIELDS = ['topic', 'audience', 'format'];
const BAZAAR = {
  info: { input: { body: { topic: 'rain', audience: 'farmers', format: 'brief' } } },
  schema: {
    properties: {
      input: {
        bodyType: 'json',
        body: { type: 'object', properties: Object.fromEntries(FIELDS.map((name) => [name, { type: 'string' }])), required: FIELDS },
      },
    },
  },
};
