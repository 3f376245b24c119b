// Tools of other servers that take a payment and then fail: the same call, made again, is charged once. What was delivered is over.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { paidTools } from '../../mcp/dist/index.js';
import {
  AgentHarness,
  createLocalAgentClient,
  type McpCall,
  type McpCallResult,
  mcpFetch,
  mcpToolUrl,
  payMcpTool,
} from '../../pkg/dist/agent/index.js';
import { fileStore } from '../../pkg/dist/file-store.js';
import { localSigner, memoryStore, type PayOptions } from '../../pkg/dist/index.js';
import { type Json, OFFER, PAYEE, PAYER_KEY, settlement, TRANSACTION, terms, USDC, watchedSigner } from './shop.ts';
import { temporaryFolder } from './tarball.ts';

const folder = temporaryFolder();
after(() => folder.remove());

const SDK = pathToFileURL(join(process.cwd(), 'node_modules/@modelcontextprotocol/sdk/dist/esm/')).href;
const TERMS = terms([OFFER], { resource: { url: 'mcp://tool/forecast', description: '', mimeType: '' } });
/** What a tool does with a payment that it has taken. */
const WAYS = [
  'error',
  'exit',
  'exit at once',
  'error result',
  'error result with a receipt',
  'content without a receipt',
  'garbage',
  'fresh terms',
  'refused',
] as const;

/** A server that writes down the nonce of each payment, and answers as the file `way` says. */
const PROGRAM = `
import { appendFileSync, readFileSync } from 'node:fs';
import { Server } from '${SDK}server/index.js';
import { StdioServerTransport } from '${SDK}server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '${SDK}types.js';
const [, , folder] = process.argv;
const terms = ${JSON.stringify(TERMS)};
const asks = { isError: true, structuredContent: terms, content: [{ type: 'text', text: JSON.stringify(terms) }] };
const sunny = { content: [{ type: 'text', text: 'sunny' }] };
const server = new Server({ name: 'weather', version: '1' }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: [{ name: 'forecast', inputSchema: { type: 'object' } }] }));
server.setRequestHandler(CallToolRequestSchema, async ({ params: { _meta } }) => {
  const payment = _meta?.['x402/payment'];
  if (payment === undefined) return asks;
  appendFileSync(folder + '/nonces', payment.payload.authorization.nonce + '\\n');
  switch (readFileSync(folder + '/way', 'utf8')) {
    case 'error': throw new Error('the database is down');
    case 'exit': setTimeout(() => process.exit(1), 20); return new Promise(() => {});
    case 'exit at once': return process.exit(1);
    case 'error result': return { isError: true, content: [{ type: 'text', text: 'no such city' }] };
    case 'error result with a receipt':
      return { isError: true, content: [{ type: 'text', text: 'timed out' }], _meta: { 'x402/payment-response': ${JSON.stringify(settlement())} } };
    case 'content without a receipt': return sunny;
    case 'garbage': return { content: 'what?' };
    case 'fresh terms': return asks;
    case 'refused': return { isError: true, structuredContent: { ...terms, error: 'insufficient_funds' }, content: [{ type: 'text', text: '{}' }] };
    default: return { ...sunny, _meta: { 'x402/payment-response': ${JSON.stringify(settlement())} } };
  }
});
await server.connect(new StdioServerTransport());
`;
const program = join(folder.path, 'weather.mjs');
writeFileSync(program, PROGRAM);

/** What a server wrote down: the token takes each nonce once. */
const chargesIn = (place: string): number =>
  existsSync(join(place, 'nonces')) ? new Set(readFileSync(join(place, 'nonces'), 'utf8').trim().split('\n')).size : 0;

const OPTIONS = { policy: { deadlineSecs: 1 }, timeoutMs: 3_000 };
for (const [processes, isOne] of [
  ['one process', true],
  ['a process for each call', false],
] as const) {
  //
  //
  //
  test(`farebox-mcp, ${processes}: whatever a server does with a payment, a call is charged once, and a delivered one is over`, {
    timeout: 120_000,
  }, async () => {
    const ends = await Promise.allSettled(
      WAYS.map(async (way, at) => {
        const place = join(folder.path, `${isOne}-${at}`);
        const store = fileStore(place);
        await store.read();
        // From the third call on, what was signed before has ended.
        let later = 0;
        const open = () =>
          paidTools({ weather: { command: process.execPath, args: [program, place] } }, () => ({
            signer: localSigner(PAYER_KEY),
            store: fileStore(place),
            now: () => Date.now() / 1000 + later,
            ...OPTIONS,
          }));
        let tools = open();
        const ask = async (city = 'here'): Promise<McpCallResult | undefined> => {
          if (!isOne) {
            await tools.close();
            tools = open();
          }
          return (await tools.call('weather__forecast', { city })) as McpCallResult | undefined;
        };
        try {
          writeFileSync(join(place, 'way'), way);
          for (let turn = 0; turn < 4; turn += 1) {
            later = Math.max(turn - 1, 0) * 400;
            const said = await ask();
            const text = JSON.stringify(said);
            assert.match(text, /call this tool again with exactly the same arguments: the same payment is sent again/, text);
            assert.equal(chargesIn(place), 1, way);
          }
          writeFileSync(join(place, 'way'), 'delivers');
          const got = await ask();
          assert.deepEqual([(got?.content as { text: string }[])[0]?.text, chargesIn(place)], ['sunny', 1], way);
          assert.ok(got?._meta?.['farebox/receipt'] !== undefined, way);
          // Delivered is over; other arguments are another purchase.
          await ask();
          await ask('there');
          assert.equal(chargesIn(place), 3, way);
        } finally {
          await tools.close();
        }
      }),
    );
    assert.deepEqual(
      ends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : [])),
      [],
    );
  });
}

/** A tool that takes payments and answers what it is told. */
function tool(answer: () => McpCallResult): {
  call: McpCall;
  charged: Set<unknown>;
  sells: { now: boolean };
  at: { payment?: () => void };
} {
  const charged = new Set<unknown>();
  const sells = { now: false };
  const at: { payment?: () => void } = {};
  const call: McpCall = async ({ _meta }) => {
    const payment = _meta?.['x402/payment'] as { payload: { authorization: { nonce: string } } } | undefined;
    if (payment === undefined) return { isError: true, structuredContent: TERMS, content: [] };
    charged.add(payment.payload.authorization.nonce);
    at.payment?.();
    if (at.payment !== undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    return sells.now ? { content: [], _meta: { 'x402/payment-response': settlement() } } : answer();
  };
  return { call, charged, sells, at };
}
const FAILS: Record<string, () => McpCallResult> = {
  'an exit': () => {
    throw new Error('closed');
  },
  'an error result': () => ({ isError: true, content: [] }),
  'an error result with a receipt': () => ({ isError: true, content: [], _meta: { 'x402/payment-response': settlement() } }),
  'a result': () => ({ content: [] }),
};

for (const [name, answer] of Object.entries(FAILS)) {
  //
  //
  test(`payMcpTool continues a purchase that ended with ${name}: with a store, and in this process without one`, async () => {
    for (const store of [memoryStore(), undefined]) {
      const { call, charged, sells, at } = tool(answer);
      let later = 0;
      const options: PayOptions & { server: string } = {
        signer: watchedSigner(),
        server: `weather-${Object.keys(FAILS).indexOf(name)}`,
        policy: { deadlineSecs: 1 },
        now: () => Date.now() / 1000 + later,
        ...(store === undefined ? {} : { store }),
      };
      const pay = () => payMcpTool(call, { name: 'forecast', arguments: { city: 'here' } }, options);
      for (let turn = 0; turn < 4; turn += 1) {
        // The last two come after the end of all that was signed before.
        later = Math.max(turn - 1, 0) * 400;
        await pay().catch(() => undefined);
      }
      sells.now = true;
      const { receipt, payment } = await pay();
      assert.deepEqual([charged.size, receipt?.amount, payment?.key.length], [1, '10000', 66]);
      await pay();
      assert.equal(charged.size, 2, 'what was delivered is over');
      // The second one begins while the payment of the first is at the tool.
      let second: Promise<unknown> | undefined;
      at.payment = () => {
        second ??= pay();
      };
      await pay();
      await second;
      assert.equal(charged.size, 4, 'calls at once are purchases of their own');
    }
  });
}

//
test('a tool that was charged and failed is shown one payment, and is bought anew under a key, which its server does not see', async () => {
  for (const store of [memoryStore(), undefined]) {
    const given: unknown[] = [];
    const { call, charged, sells } = tool(() => ({ isError: true, content: [], _meta: { 'x402/payment-response': settlement() } }));
    const listens: McpCall = (params) => {
      given.push(params);
      return call(params);
    };
    const signer = watchedSigner();
    const pay = (key?: string) =>
      payMcpTool(
        listens,
        { name: 'forecast', arguments: { city: 'here' } },
        {
          signer,
          server: 'weather-anew',
          policy: { deadlineSecs: 1 },
          ...(store === undefined ? {} : { store }),
          ...(key === undefined ? {} : { key }),
        },
      );
    const counts: number[] = [];
    const once = async (key?: string): Promise<void> => {
      await pay(key);
      counts.push(charged.size);
    };
    for (const key of [undefined, undefined, 'anew', 'anew']) await once(key);
    sells.now = true;
    for (const key of ['anew', 'anew', 'another', undefined]) await once(key);
    assert.deepEqual(counts, [1, 1, 2, 2, 2, 2, 3, 3]);
    assert.doesNotMatch(JSON.stringify(given), /anew|another|idempotency/i);
  }
});

/** The two forms in which a tool asks and is paid, and the receipt that it has for each. */
const challenge = (id: string): Json => ({
  id,
  realm: 'weather.mcp.invalid',
  method: 'evm',
  intent: 'charge',
  request: { amount: '10000', currency: USDC, recipient: PAYEE, methodDetails: { chainId: 84532, credentialTypes: ['authorization'] } },
});
const FORMS: Record<string, { readonly asks: (id: string) => McpCallResult; readonly payment: string; readonly receipt: Json }> = {
  x402: {
    asks: () => ({ isError: true, structuredContent: TERMS, content: [] }),
    payment: 'x402/payment',
    receipt: { 'x402/payment-response': settlement() },
  },
  MPP: {
    asks: (id) => ({ isError: true, _meta: { 'org.paymentauth/payment-required': { challenges: [challenge(id)] } } }),
    payment: 'org.paymentauth/credential',
    receipt: {
      'org.paymentauth/receipt': { method: 'evm', reference: TRANSACTION, status: 'success', timestamp: new Date().toISOString() },
    },
  },
};

//
for (const [form, { asks, payment, receipt }] of Object.entries(FORMS))
  for (const proof of [{}, receipt])
    test(`a tool that failed, paid by ${form} ${proof === receipt ? 'with' : 'without'} a receipt, tells why, and is shown the same payment`, async () => {
      const payments = new Set<string>();
      let sells = false;
      const call: McpCall = async ({ _meta }) => {
        if (_meta?.[payment] === undefined) return asks(String(sells));
        payments.add(JSON.stringify(_meta[payment]));
        const content = [{ type: 'text', text: sells ? 'sunny' : 'no such city' }];
        // No member of a result decides like one of a refusal.
        return { isError: !sells, code: 'refund_due', retryable: true, content, _meta: sells ? receipt : proof };
      };
      const policy = { hosts: ['weather.mcp.invalid'] };
      const client = createLocalAgentClient({ signer: watchedSigner(), fetch: mcpFetch(call), policy });
      const harness = new AgentHarness({ client });
      const url = mcpToolUrl('weather', 'forecast');
      const buy = async (): Promise<unknown[]> => {
        const { preparedId } = await harness.preparePaidRequest({ url, method: 'POST', body: '{}' });
        const told = await harness.executePreparedRequest({ preparedId });
        assert.ok(told.harnessDisposition === 'executed');
        return [told.sdkOutcomeKind, /no such city|sunny/.exec(told.merchantResponse.body)?.[0]];
      };
      assert.deepEqual(await buy(), [proof === receipt ? 'paid_fulfillment_failed' : 'execution_failed', 'no such city']);
      assert.deepEqual((await buy())[0], 'execution_inconclusive');
      sells = true;
      assert.deepEqual(await buy(), ['success', 'sunny']);
      assert.equal(payments.size, 1);
      assert.deepEqual([await buy(), payments.size], [['success', 'sunny'], 2], 'what was delivered is over');
    });
