/** What the gate publishes, read by the packages that read it elsewhere, and held against the 402 that the same gate answers. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import {
  checkEndpointSchema,
  checkL2ForOpenAPI,
  discoverOriginSchema,
  getOpenAPI,
  getWarningsForL2,
  getWarningsForMppHeader,
  getWarningsForOpenAPI,
  isOpenApiParseFailure,
  validatePaymentRequiredDetailed,
} from '@agentcash/discovery';
import type { PaymentPayload, PaymentRequirements } from '@x402/core/types';
import {
  bazaarResourceServerExtension,
  type DiscoveryExtension,
  declareDiscoveryExtension,
  extractDiscoveryInfo,
  validateDiscoveryExtension,
  validateDiscoveryExtensionSpec,
} from '@x402/extensions/bazaar';
import { Challenge } from 'mppx';
import { validate } from 'mppx/discovery';

import { besideStrangers } from '../support/hostile/beside.ts';
import { worked } from '../support/hostile/costs.ts';
import { freshPayer, type Json, type JsonObject, type PaymentRequired, pay, requiredBy } from './support/payer.ts';
import { Pricer } from './support/pricer.ts';
import type { Answer } from './support/raw.ts';
import { expectPaid, jsonOf, openWorld, PAY_TO, send, type World } from './support/world.ts';

const SOLANA = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1';
const PAYEE = '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU';
const FEE_PAYER = 'EwWqGE4ZFKLofuestmU4LDdK7XM1N4ALgdZccwYugwGd';
/** Where the tests' client says that it is. */
const BASE = 'http://shop.example';
const DOCUMENTS = ['/openapi.json', '/llms.txt', '/.well-known/x402'] as const;

const common = { max_timeout_secs: 60, origin_timeout_secs: 2 };
const input = { city: 'Paris', days: 3 };
const inputSchema = { properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] };
const output = { sky: 'clear' };
const described = { input, input_schema: inputSchema, output };
/** Every network, one, parameters, both ways to settle, either protocol, many methods, a price of somebody else. */
const ROUTES = [
  { path: '/report', methods: ['GET', 'POST'], price: '$0.01', description: 'A report\nof today', ...common },
  { path: '/all', price: '$2.50', settle: 'before', network: 'polygon-amoy', ...common },
  { path: '/items/[id]', methods: ['GET'], price: '$0.03', network: 'base-sepolia', ...common },
  { path: '/items/[id]', methods: ['PUT'], price: '$0.04', network: 'base-sepolia', ...common },
  { path: '/u/[id]/x/[id]', methods: ['GET'], price: '$0.05', ...common },
  { path: '/open/*', methods: ['GET'], price: '$0.06', ...common },
  { path: '/open/gratis', price: 'free' },
  { path: '/only-x402', methods: ['GET'], price: '$0.11', protocols: ['x402'], network: 'polygon-amoy', ...common },
  { path: '/only-mpp', methods: ['GET'], price: '$0.12', protocols: ['mpp'], network: 'base-sepolia', ...common },
  { path: '/sol', methods: ['GET'], network: SOLANA, price: '$0.07', ...common },
  { path: '/quoted', methods: ['GET'], price: { from: 'PRICER', min: '$0.10', max: '$1.00' }, network: 'base-sepolia', ...common },
  { path: '/weather', methods: ['GET'], price: '$0.08', network: 'base-sepolia', bazaar: described, ...common },
  { path: '/weather/[place]', methods: ['GET'], price: '$0.08', network: 'base-sepolia', bazaar: described, ...common },
  { path: '/ask', methods: ['POST'], price: '$0.09', network: 'base-sepolia', bazaar: { ...described, body: 'json' }, ...common },
];

type Terms = { readonly network: string; readonly amount: string | null; readonly asset: string; readonly payTo: string };
type Offer = {
  readonly method: string;
  readonly network: string;
  readonly amount: string | null;
  readonly currency: string;
  readonly recipient: string;
};
type Operation = { readonly 'x-payment-info': { readonly offers: readonly Offer[] } };
type OpenApi = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };
type WellKnown = {
  readonly resources: readonly string[];
  readonly items: readonly { readonly resource: string; readonly methods: readonly string[]; readonly accepts?: readonly Terms[] }[];
};

let world: World;
let pricer: Pricer;
before(async () => {
  pricer = await Pricer.start();
  pricer.asks('$0.50');
  world = await openWorld({
    prices: pricer.url,
    vars: {
      NETWORK: ['eip155:84532', 'polygon-amoy', SOLANA],
      PAY_TO: { 'base-sepolia': PAY_TO, 'polygon-amoy': '0x209693Bc6afc0C5328bA36FaF03C514EF312287C', [SOLANA]: PAYEE },
    },
    withFacilitator: (url) => ({ FACILITATOR_URL: [{ url, extra: { [SOLANA]: { feePayer: FEE_PAYER } } }] }),
    routes: ROUTES,
  });
  for (const path of DOCUMENTS) world.origin.script(path, { status: 404, body: 'the origin has nothing there' });
});
after(async () => {
  await world.stop();
  await pricer.stop();
});

async function textOf(path: string): Promise<string> {
  const answer = await world.gate.raw('GET', path);
  assert.equal(answer.status, 200, `${path}: ${answer.text.slice(0, 200)}`);
  return answer.text;
}

const openApi = async () => JSON.parse(await textOf('/openapi.json')) as OpenApi;
const wellKnown = async () => JSON.parse(await textOf('/.well-known/x402')) as WellKnown;

/** A path of a document with something in the place of each parameter. */
const filled = (path: string) => path.replace(/\{[^}]+\}/g, 'some');

/** What the gate asks for this request. */
async function asked(method: string, path: string): Promise<PaymentRequired> {
  const answer = await world.gate.raw(method, filled(path));
  assert.equal(answer.status, 402, `${method} ${path}: ${answer.text.slice(0, 200)}`);
  return requiredBy(answer);
}

type Charge = {
  readonly amount: string;
  readonly currency: string;
  readonly recipient: string;
  readonly methodDetails: { readonly chainId: number };
};

/** What the gate asks for this request by each protocol. */
async function termsOf(method: string, path: string): Promise<{ readonly x402: readonly Terms[]; readonly evm: readonly Terms[] }> {
  const answer = await world.gate.raw(method, filled(path), [['Accept-Payment', 'evm/charge']]);
  assert.equal(answer.status, 402, `${method} ${path}: ${answer.text.slice(0, 200)}`);
  const accepts = answer.headers['payment-required'] === undefined ? [] : requiredBy(answer).accepts;
  const list = answer.headers['www-authenticate'];
  const challenges = list === undefined ? [] : Challenge.deserializeList(list);
  if (list !== undefined) assert.deepEqual(getWarningsForMppHeader(list), [], `${method} ${path}`);
  return {
    x402: accepts.map(({ network, amount, asset, payTo }) => ({ network, amount, asset, payTo })),
    evm: challenges.map(({ method: by, intent, request }) => {
      assert.deepEqual([by, intent], ['evm', 'charge']);
      const { amount, currency, recipient, methodDetails } = request as Charge;
      return { network: `eip155:${methodDetails.chainId}`, amount, asset: currency, payTo: recipient };
    }),
  };
}

/** `METHOD /path` and terms of each line of llms.txt. */
function soldIn(text: string, base: string): Map<string, Terms[]> {
  const sold = new Map<string, Terms[]>();
  let current: Terms[][] = [];
  for (const line of text.split('\n')) {
    const [, methods, url] = /^- `([A-Z,]+) (\S+)` \((?:x402|mpp|x402, mpp)\)/.exec(line) ?? [];
    if (methods !== undefined && url !== undefined) {
      assert.ok(url.startsWith(base), url);
      current = methods.split(',').map((method) => {
        const terms: Terms[] = [];
        sold.set(`${method} ${url.slice(base.length)}`, terms);
        return terms;
      });
    }
    const [, amount, asset, network, payTo] = /^ {2}- .*: (\d+|units) of `(\S+)` on `(\S+)` to `(\S+)`$/.exec(line) ?? [];
    if (amount !== undefined && asset !== undefined && network !== undefined && payTo !== undefined) {
      for (const terms of current) terms.push({ network, amount: amount === 'units' ? null : amount, asset, payTo });
    }
  }
  return sold;
}

describe('documents', () => {
  it('name the same operations, with the terms that the gate asks for at each', async () => {
    const document = await openApi();
    const words = soldIn(await textOf('/llms.txt'), BASE);
    const { resources, items } = await wellKnown();
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        operation,
      })),
    );
    const names = operations.map(({ name }) => name).sort();
    assert.equal(names.length, 19, names.join(', '));
    assert.deepEqual([...words.keys()].sort(), names);
    const listed = items.flatMap(({ resource, methods }) => methods.map((method) => `${method} ${resource.slice(BASE.length)}`));
    const byX402 = names.filter((name) => name !== 'GET /only-mpp');
    assert.deepEqual(listed.sort(), byX402);
    assert.deepEqual([...resources].sort(), [...new Set(byX402.map((name) => name.replace(/^\S+ /, BASE)))].sort());
    for (const { name, method, path, operation } of operations) {
      const isQuoted = path === '/quoted';
      const told = (terms: readonly Terms[]) => (isQuoted ? terms.map((one) => ({ ...one, amount: null })) : terms);
      const { x402, evm } = await termsOf(method, path);
      const offers = (by: string) =>
        operation['x-payment-info'].offers
          .filter((offer) => offer.method === by)
          .map(({ network, amount, currency, recipient }) => ({ network, amount, asset: currency, payTo: recipient }));
      assert.deepEqual(offers('x402'), told(x402), name);
      assert.deepEqual(offers('evm'), told(evm), name);
      assert.deepEqual([x402.length > 0, evm.length > 0], [path !== '/only-mpp', path !== '/only-x402' && path !== '/sol'], name);
      assert.deepEqual(words.get(name), told(x402.length > 0 ? x402 : evm), name);
      const item = items.find(({ resource, methods }) => resource === BASE + path && methods.includes(method));
      if (isQuoted || x402.length === 0) assert.equal(item?.accepts, undefined);
      else assert.deepEqual(item?.accepts, (await asked(method, path)).accepts, name);
    }
  });

  it('lead to a 402 at each of their URLs, as they stand there', async () => {
    const { resources } = (await (await fetch(new URL('/.well-known/x402', world.gate.url))).json()) as WellKnown;
    assert.equal(resources.length, 12);
    for (const resource of resources) {
      const statuses = await Promise.all(['GET', 'POST'].map(async (method) => (await fetch(resource, { method })).status));
      assert.ok(statuses.includes(402), `${resource}: ${statuses.join(', ')}`);
    }
  });

  it('leave out what is free, and a path below an open pattern that is free is never the example', async () => {
    for (const path of DOCUMENTS) assert.doesNotMatch(await textOf(path), /gratis/);
    assert.equal((await world.gate.raw('GET', '/open/gratis')).status, 200);
  });

  it('are taken by the validator of MPP without a word', async () => {
    assert.deepEqual(validate(await openApi()), []);
  });

  it('are read by the registry of x402 with price and protocols of each route', async () => {
    const found = await discoverOriginSchema({ target: world.gate.url });
    assert.ok(found.found);
    const price = (method: string, path: string) => found.endpoints.find((one) => one.method === method && one.path === path);
    const both = ['x402', 'mpp'];
    for (const [method, path, amount, spoken] of [
      ['GET', '/report', '0.01', both],
      ['DELETE', '/all', '2.5', both],
      ['PUT', '/items/{id}', '0.04', both],
      ['GET', '/open/{path}', '0.06', both],
      ['GET', '/only-x402', '0.11', ['x402']],
      ['GET', '/only-mpp', '0.12', ['mpp']],
    ] as const) {
      const { authMode, pricingMode, currency, protocols, price: told } = price(method, path) ?? assert.fail(path);
      assert.deepEqual(
        { authMode, pricingMode, currency, protocols, told },
        { authMode: 'paid', pricingMode: 'fixed', currency: 'USD', protocols: spoken, told: `${amount} USD` },
        path,
      );
    }
    const quoted = price('GET', '/quoted');
    assert.deepEqual([quoted?.pricingMode, quoted?.price], ['dynamic', '0.1-1 USD']);
    const source = (await getOpenAPI(world.gate.url.replace(/\/$/, ''))).unwrapOr(null);
    assert.ok(source !== null && !isOpenApiParseFailure(source));
    const warnings = [...getWarningsForOpenAPI(source), ...getWarningsForL2(checkL2ForOpenAPI(source))].map(({ code }) => code);
    assert.deepEqual(warnings, ['OPENAPI_CONTACT_MISSING'], 'an operator says whom to write to, or not');
  });

  it('are what the registry finds when it probes an endpoint', async () => {
    const probed = await checkEndpointSchema({ url: `${world.gate.url.replace(/\/$/, '')}/weather`, probe: true });
    assert.ok(probed.found);
    const [get] = probed.advisories;
    assert.equal(get?.method, 'GET');
    const option = (protocol: string) => get.paymentOptions?.some((one) => one.protocol === protocol && /84532$/.test(one.network));
    assert.ok(option('x402') && option('mpp'), JSON.stringify(get.paymentOptions));
    assert.ok(get.inputSchema !== undefined, 'what it takes is known');
  });

  it('are kept for five minutes, readable by any page, and asked for anew by their tag', async () => {
    for (const path of DOCUMENTS) {
      const answer = await world.gate.raw('GET', path);
      assert.equal(answer.headers['cache-control'], 'max-age=300', path);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['content-type'], path === '/llms.txt' ? 'text/plain; charset=utf-8' : 'application/json');
      const again = await world.gate.raw('GET', path, [['If-None-Match', answer.headers['etag'] ?? assert.fail()]]);
      assert.deepEqual([again.status, again.text], [304, '']);
      const head = await world.gate.raw('HEAD', path);
      assert.deepEqual([head.status, head.text, head.headers['etag']], [200, '', answer.headers['etag']]);
    }
  });

  it('stand in the place of nothing that the origin has', async () => {
    const own = await openWorld();
    try {
      for (const path of DOCUMENTS) {
        own.origin.script(path, { headers: { 'x-own': 'yes' }, body: `own ${path}` });
        const answer = await own.gate.raw('GET', path);
        assert.deepEqual([answer.status, answer.text, answer.headers['x-own']], [200, `own ${path}`, 'yes']);
        assert.equal(answer.headers['etag'], undefined);
        assert.equal((await own.gate.raw('POST', path, [], 'x')).text, `own ${path}`, 'only reading is answered');
      }
    } finally {
      await own.stop();
    }
  });

  it('ask nobody where the operator lists them, and stay away where he lists none', async () => {
    const listed = await openWorld({ vars: { PUBLISH: ['openapi'] } });
    const none = await openWorld({ vars: { PUBLISH: '[]' } });
    try {
      assert.equal((await listed.gate.raw('GET', '/openapi.json')).status, 200);
      assert.equal(listed.origin.of('/openapi.json').length, 0);
      for (const [at, path] of [
        [listed, '/llms.txt'],
        [none, '/openapi.json'],
        [none, '/.well-known/x402'],
      ] as const) {
        at.origin.script(path, { status: 404, body: 'theirs' });
        const answer = await at.gate.raw('GET', path);
        assert.deepEqual([answer.status, answer.text], [404, 'theirs']);
      }
    } finally {
      await Promise.all([listed.stop(), none.stop()]);
    }
  });
});

describe('the extension bazaar', () => {
  const extensionOf = (required: PaymentRequired) => (required.extensions as { readonly bazaar?: DiscoveryExtension } | undefined)?.bazaar;
  const targets = [
    ['GET', '/weather?city=Oslo'],
    ['HEAD', '/weather'],
    ['GET', '/weather/oslo'],
    ['POST', '/ask'],
  ] as const;

  it('is taken by the validators of the reference on each route that has it, and is on no other', async () => {
    for (const [method, target] of targets) {
      const required = await asked(method, target);
      const extension = extensionOf(required) ?? assert.fail(target);
      assert.deepEqual(validateDiscoveryExtension(extension), { valid: true }, target);
      assert.deepEqual(validateDiscoveryExtensionSpec(extension as unknown as Record<string, unknown>), { valid: true }, target);
      const detailed = validatePaymentRequiredDetailed(required, { requireInputSchema: true });
      assert.deepEqual(
        detailed.issues.filter(({ severity }) => severity === 'error'),
        [],
        target,
      );
    }
    for (const [method, target] of [
      ['GET', '/report'],
      ['GET', '/quoted'],
      ['GET', '/items/some'],
    ] as const) {
      assert.equal(extensionOf(await asked(method, target)), undefined, target);
    }
  });

  it('says what the server of the reference says of the same declaration', async () => {
    const example = { example: output };
    const query = { input, inputSchema, output: example };
    for (const [method, path, pattern, declared] of [
      ['GET', '/weather', '/weather', query],
      ['GET', '/weather/oslo', '/weather/[place]', query],
      ['POST', '/ask', '/ask', { input, inputSchema: { type: 'object', ...inputSchema }, bodyType: 'json' as const, output: example }],
    ] as const) {
      const declaration = declareDiscoveryExtension(declared)['bazaar'];
      const context = { method, routePattern: pattern, adapter: { getPath: () => path } };
      const theirs = bazaarResourceServerExtension.enrichDeclaration?.(declaration, context as never) as unknown as JsonObject;
      // It leaves open which kind of body, of those that there are.
      const body = (theirs['schema'] as { properties: { input: { properties: JsonObject } } }).properties.input.properties;
      if (body['bodyType'] !== undefined) body['bodyType'] = { type: 'string', enum: ['json'] };
      assert.deepEqual(extensionOf(await asked(method, path)), theirs, path);
    }
  });

  it('leads a facilitator to the route and not to one URL of it', async () => {
    const required = await asked('GET', '/weather/oslo?city=Oslo');
    const payload = { x402Version: 2, resource: required.resource, extensions: required.extensions } as unknown as PaymentPayload;
    const found = extractDiscoveryInfo(payload, required.accepts[0] as unknown as PaymentRequirements);
    assert.equal(found?.resourceUrl, `${BASE}/weather/:place`);
    assert.deepEqual((found as { discoveryInfo: { input: JsonObject } }).discoveryInfo.input['pathParams'], { place: 'oslo' });
  });

  it('may be echoed by the payer, changed or not, and the facilitator gets what the route says', async () => {
    for (const change of [(it: JsonObject) => it, (it: JsonObject) => ({ ...it, info: 'mine' })]) {
      const required = await asked('GET', '/weather');
      const payer = freshPayer();
      const bazaar = extensionOf(required) as unknown as JsonObject;
      const payment = await pay(payer, required, {
        tamper: (message) => {
          message['extensions'] = { bazaar: change(bazaar) as Json, junk: 'x' };
        },
      });
      expectPaid(await send(world, '/weather', payment), payment);
      const [call] = world.facilitator.of('settle', payer.address);
      const { paymentPayload } = JSON.parse(call?.body.toString('utf8') ?? '') as { paymentPayload: JsonObject };
      assert.deepEqual(paymentPayload['extensions'], { bazaar });
    }
  });

  it('stands beside a diagnosis in the header', async () => {
    const forged = await pay(freshPayer(), await asked('GET', '/weather'), {
      tamper: ({ payload }) => {
        (payload as { signature: string }).signature = `0x${'11'.repeat(64)}1b`;
      },
    });
    const diagnosed = await send(world, '/weather', forged);
    assert.deepEqual(Object.keys((requiredBy(diagnosed).extensions ?? {}) as JsonObject).sort(), [
      'bazaar',
      'diagnostic',
      'offer-receipt',
      'payment-identifier',
    ]);
    assert.deepEqual(Object.keys((jsonOf(diagnosed)['extensions'] ?? {}) as JsonObject), ['diagnostic'], 'the body is of version 1');
    assert.ok(headerBytes(diagnosed) <= 8192);
  });
});

/** A gate of many routes, whose documents take long to write. */
function openLarge() {
  const many = Array.from({ length: 400 }, (_, number) => ({
    path: `/s/skill-${number}`,
    methods: ['POST'],
    price: '$0.01',
    description: 'Says what came '.repeat(6),
    bazaar: { ...described, body: 'json' },
    ...common,
  }));
  return openWorld({ vars: { PUBLISH: ['openapi', 'llms', 'x402'] }, routes: many });
}

//
it('a document that is asked for again is found, however often those of twelve other addresses were asked for', async () => {
  const large = await openLarge();
  const { hostname, port } = new URL(large.gate.url);
  /** Milliseconds until the document of this address has come. */
  const look = (host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const asked = request({ hostname, port, path: '/openapi.json', agent: false, headers: { host } }, (answer) => {
        answer.resume().on('end', () => {
          if (answer.statusCode === 200) resolve(performance.now() - began);
          else reject(new Error(`${host}: ${answer.statusCode}`));
        });
      });
      asked.on('error', reject).end();
    });
  try {
    for (let number = 0; number < 12; number += 1) for (const _ of 'ab') await look(`h${number}.example`);
    const [first = 0, , ...later] = [
      await look('shop.example'),
      await look('shop.example'),
      await look('shop.example'),
      await look('shop.example'),
    ];
    // One that is written waits for its turn, four times as long as writing takes.
    assert.ok(Math.min(...later) < first / 4, `${later} ms, and ${first} ms when it was written`);
  } finally {
    await large.stop();
  }
});

function headerBytes(answer: Answer): number {
  return answer.rawHeaders.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
}

//
it('a large table is written once: who asks for a document slows a 402 no more than who asks for that', async () => {
  const large = await openLarge();
  try {
    const look = () => large.gate.raw('POST', '/s/skill-7');
    assert.equal((await look()).status, 402);
    const alike = await besideStrangers(look, look);
    for (const path of DOCUMENTS) {
      const [first, again] = [await large.gate.raw('GET', path), await large.gate.raw('GET', path)];
      assert.deepEqual([first.status, again.text], [200, first.text]);
      assert.ok(first.text.includes('skill-399'), path);
      const known = await large.gate.raw('GET', path, [['If-None-Match', String(first.headers['etag'])]]);
      assert.deepEqual([known.status, known.text], [304, '']);
      const beside = await besideStrangers(look, () => large.gate.raw('GET', path));
      assert.ok(beside < 10 * alike, `${path}: ${beside} ms, and ${alike} ms beside as many that ask for a 402`);
    }
    // Under ever new addresses, by those who break off at once: what they leave behind waits for its turn.
    let hosts = 0;
    const { hostname, port } = new URL(large.gate.url);
    const glimpse = (): Promise<void> =>
      new Promise((resolve) => {
        hosts += 1;
        const headers = { host: `h${hosts}.example`, 'cf-connecting-ip': `100.64.${hosts >> 8}.${hosts & 255}` };
        const asked = request({ hostname, port, path: '/openapi.json', agent: false, headers }, (answer) => answer.resume());
        asked.on('error', () => {}).on('close', resolve);
        asked.end();
        setTimeout(50).then(() => asked.destroy());
      });
    let isOver = false;
    const flood = Array.from({ length: 8 }, async () => {
      while (!isOver) await Promise.all([glimpse(), setTimeout(50)]);
    });
    const share = await (async () => {
      await setTimeout(6_000);
      const [began, had] = [performance.now(), worked(large.gate.pids)];
      await setTimeout(4_000);
      return (worked(large.gate.pids) - had) / (performance.now() - began);
    })().finally(() => {
      isOver = true;
    });
    await Promise.all(flood);
    assert.ok(share < 0.6, `${share} of a processor for ${hosts} addresses`);
    // The true address is one that is asked for: its document stands.
    for (const path of DOCUMENTS) assert.equal((await large.gate.raw('GET', path)).status, 200, path);
  } finally {
    await large.stop();
  }
});
