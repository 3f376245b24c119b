/** What the gate sold and the market passes on: the seller's request, its signature, and what comes back of each seller's answer. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type Script, Seller } from './support/seller.ts';
import { type Answer, forwarded, Market, NAMES, newOwner, PAYER, signed, type Told } from './support/worker.ts';

describe('a skill that the gate sold', () => {
  let market: Market;
  let seller: Seller;
  let secret: string;
  const owner = newOwner();

  const sold = (
    id: string,
    {
      query = '',
      body = '{"q":1}',
      method = 'POST',
      told = {},
      headers = {},
    }: { query?: string; body?: string; method?: string; told?: Told; headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    market.ask(method, `/s/${id}${query}`, {
      body,
      headers: { ...forwarded(method, `/s/${id}${query}`, told), 'content-type': 'application/json', ...headers },
    });
  const publish = async (id: string, script?: Script, more: Record<string, unknown> = {}): Promise<Answer> => {
    if (script !== undefined) seller.scripts.set(`/${id}`, script);
    const answer = await market.publish(owner, { skillId: id, name: id, callUrl: `${seller.url}/${id}`, price: '$0.01', ...more });
    assert.equal(answer.status, 201, answer.text);
    return answer;
  };

  before(async () => {
    seller = await Seller.start();
    market = await Market.start();
    secret = String((await publish('echo')).json.secret);
  });
  after(async () => {
    await market.stop();
    await seller.stop();
  });

  it("reaches its seller with the client's method, query and body, and a signature by the seller's secret", async () => {
    const answer = await sold('echo', {
      query: '?city=Ulm',
      headers: { 'idempotency-key': 'key-1', authorization: 'Bearer of-the-client', cookie: 'a=b' },
    });
    assert.deepEqual([answer.status, answer.json], [200, { at: '/echo?city=Ulm', said: '{"q":1}' }]);
    const { method, url, headers } = seller.of('/echo').at(-1) ?? assert.fail();
    assert.deepEqual(
      [
        method,
        headers['content-type'],
        headers['farebox-skill'],
        headers['farebox-payer'],
        headers['farebox-payment'],
        headers['idempotency-key'],
      ],
      ['POST', 'application/json', 'echo', PAYER, 'payment-1', 'key-1'],
    );
    const [, secs = '', mac] = /^t=(\d+),v2=([0-9a-f]{64})$/.exec(String(headers['farebox-signature-v2'])) ?? [];
    const lines = [secs, method, url, ...NAMES.map((name) => headers[`farebox-${name}`] ?? '')];
    assert.equal(mac, createHmac('sha256', secret).update(lines.join('\n')).digest('hex'));
    // What the client shows the market or its gate is not the seller's.
    assert.deepEqual([headers.authorization, headers.cookie], [undefined, undefined]);
  });

  it('reaches no one with a signature that is old, of another target, or of another payment', async () => {
    const came = seller.of('/echo').length;
    const now = Math.floor(Date.now() / 1000);
    const wrong = [
      forwarded('POST', '/s/echo', {}, now - 400),
      forwarded('POST', '/s/echo', {}, now + 400),
      forwarded('GET', '/s/echo'),
      forwarded('POST', '/s/echo?x=1'),
      forwarded('POST', '/s/echo', { payment: '' }),
      { ...forwarded('POST', '/s/echo'), 'farebox-amount': '20000' },
    ];
    for (const headers of wrong) assert.equal((await market.ask('POST', '/s/echo', { headers, body: '{}' })).status, 403);
    assert.equal(seller.of('/echo').length, came);
  });

  it('is not delivered for another amount, asset or network than was listed', async () => {
    const came = seller.of('/echo').length;
    for (const told of [{ amount: '9999' }, { amount: '10001' }, { asset: PAYER }, { network: 'eip155:8453' }]) {
      assert.equal((await sold('echo', { told })).status, 409, JSON.stringify(told));
    }
    assert.equal(seller.of('/echo').length, came);
    assert.equal((await sold('nowhere')).status, 404);
  });

  it('has the answer that its seller gave, whatever its status and kind', async () => {
    await publish('teapot', (_, response) => {
      response.writeHead(418, { 'content-type': 'text/plain', 'x-own': 'yes' }).end('short');
    });
    const { status, text, headers } = await sold('teapot');
    assert.deepEqual([status, text, headers.get('content-type'), headers.get('x-own')], [418, 'short', 'text/plain', 'yes']);
    const bytes = Buffer.from([0, 255, 1, 254]);
    await publish('bytes', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes);
    });
    const raw = await fetch(`${market.url}/s/bytes`, { method: 'POST', headers: forwarded('POST', '/s/bytes') });
    assert.deepEqual(Buffer.from(await raw.arrayBuffer()), bytes);
  });

  //
  it('cannot speak for the market, its gate, or its other sellers', async () => {
    await publish('hostile', (_, response) => {
      response
        .writeHead(200, {
          'content-type': 'text/html',
          'set-cookie': 'a=b',
          'farebox-payment': 'x',
          'payment-response': 'x',
          'x-payment-response': 'x',
          'clear-site-data': '"*"',
          'content-security-policy': 'default-src *',
          'www-authenticate': 'Payment id=x',
          'access-control-allow-origin': '*',
          'service-worker-allowed': '/',
          refresh: '0;url=https://elsewhere.example',
          link: '</s/other>; rel=next',
          'content-location': '/s/other',
          'x-accel-redirect': '/internal/secret',
          'x-accel-limit-rate': '1',
          'x-sendfile': '/etc/passwd',
          'x-lighttpd-send-file': '/etc/passwd',
          'x-litespeed-location': '/internal/secret',
          'x-reproxy-url': 'http://127.0.0.1/',
        })
        .end('<script>1</script>');
    });
    const { headers, status } = await sold('hostile');
    const kept = [
      'set-cookie',
      'farebox-payment',
      'payment-response',
      'x-payment-response',
      'clear-site-data',
      'www-authenticate',
      'access-control-allow-origin',
      'service-worker-allowed',
      'refresh',
      'link',
      'content-location',
      'x-accel-redirect',
      'x-accel-limit-rate',
      'x-sendfile',
      'x-lighttpd-send-file',
      'x-litespeed-location',
      'x-reproxy-url',
    ].filter((name) => headers.has(name));
    assert.deepEqual(
      [status, kept, headers.get('content-security-policy'), headers.get('x-content-type-options')],
      [200, [], 'sandbox', 'nosniff'],
    );
  });

  it('is a failure of its seller, which the gate does not charge, if that redirects, is not there, or breaks off', async () => {
    await publish('redirects', (_, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    });
    assert.deepEqual([(await sold('redirects')).status, (await sold('redirects')).json.error], [502, 'seller_redirects']);
    await publish('resets', (_, response) => {
      response.socket?.destroy();
    });
    assert.deepEqual([(await sold('resets')).status, (await sold('resets')).json.error], [502, 'seller_unreachable']);
    await market.publish(owner, { skillId: 'nobody-there', name: 'x', callUrl: 'http://127.0.0.1:9/x', price: '$0.01' });
    assert.deepEqual((await sold('nobody-there')).json.error, 'seller_unreachable');
  });

  for (const [how, write] of [
    ['in the middle of chunks', (response) => response.writeHead(200, { 'content-type': 'application/json' }).write('{"half":')],
    ['before its announced end', (response) => response.writeHead(200, { 'content-length': 100 }).write('{"half":')],
  ] as readonly (readonly [string, (response: ServerResponse) => void])[]) {
    it(`is no whole answer where its seller breaks off ${how}`, async () => {
      const id = `breaks-${how.split(' ')[0]}`;
      await publish(id, (_, response) => {
        write(response);
        setTimeout(() => response.socket?.destroy(), 100);
      });
      const answer = await sold(id).catch(() => undefined);
      assert.ok(answer === undefined || (answer.status === 502 && answer.json.error === 'seller_unreachable'), answer?.text);
    });
  }

  it('comes as it is written where its seller streams events', async () => {
    let go = (): void => {};
    await publish('events', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      go = () => {
        response.end('data: 2\n\n');
      };
    });
    const response = await fetch(`${market.url}/s/events`, { method: 'POST', headers: forwarded('POST', '/s/events') });
    const reader = response.body?.getReader() ?? assert.fail();
    assert.equal(new TextDecoder().decode((await reader.read()).value), 'data: 1\n\n');
    go();
    assert.equal(new TextDecoder().decode((await reader.read()).value), 'data: 2\n\n');
    assert.equal((await reader.read()).done, true);
  });

  //
  it('passes back 16 MiB and no more', async () => {
    const limit = 16 * 1024 * 1024;
    await publish('long', (_, response) => {
      response.writeHead(200, { 'content-length': limit + 1 }).end(Buffer.alloc(limit + 1));
    });
    assert.deepEqual([(await sold('long')).status, (await sold('long')).json.error], [502, 'response_too_large']);
    await publish('full', (_, response) => {
      response.writeHead(200, { 'content-length': limit }).end(Buffer.alloc(limit, 'a'));
    });
    assert.equal((await sold('full')).text.length, limit);
    let left = false;
    await publish('endless', (_, response) => {
      response.writeHead(200);
      response.on('close', () => {
        left = true;
      });
      response.on('error', () => {});
      const piece = Buffer.alloc(1024 * 1024, 'a');
      const write = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on('drain', write);
      write();
    });
    const { json } = await sold('endless', { headers: { 'x-seen': 'yes' } });
    assert.deepEqual([json.status, json.end, json.bytes <= limit], [200, 'broken', true]);
    await eventually('the seller is left', () => left);
  });

  it('of which more than 1 MiB came before its seller broke off is a broken answer for the gate, announced or not', async () => {
    const bytes = 3 * 1024 * 1024;
    for (const length of [undefined, 2 * bytes]) {
      const id = length === undefined ? 'breaks-late' : 'breaks-early';
      await publish(id, (_, response) => {
        response.writeHead(200, length === undefined ? {} : { 'content-length': length }).write(Buffer.alloc(bytes, 'a'), () => {
          setTimeout(() => response.socket?.destroy(), 200);
        });
      });
      const { json } = await sold(id, { headers: { 'x-seen': 'yes' } });
      assert.deepEqual([json.status, json.end, json.bytes <= bytes], [200, 'broken', true], JSON.stringify(json));
    }
  });

  it('is forwarded with the method of the skill, and no other', async () => {
    await publish('looked-up', undefined, { method: 'GET' });
    const headers = forwarded('GET', '/s/looked-up?q=1');
    assert.deepEqual((await market.ask('GET', '/s/looked-up?q=1', { headers })).json, { at: '/looked-up?q=1', said: '' });
    assert.equal((await sold('looked-up')).status, 405);
  });

  //
  it('is asked for again where the object does not answer and the money has moved, and is refused at once where it has not', async () => {
    await publish('kept');
    const transaction = `0x${'7'.repeat(64)}`;
    await market.delay({ sold: null });
    assert.equal((await sold('kept')).status, 503);
    const paid = sold('kept', { told: { payment: 'payment-7', transaction } });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await market.delay({});
    assert.equal((await paid).status, 200);
    assert.equal(seller.of('/kept').length, 1);
  });

  it('is delivered for what was listed until a moment ago, and with its new price', async () => {
    await publish('dearer');
    const body = await signed(
      'version',
      owner,
      { version: '1.1.0', name: 'dearer', description: 'Dearer', price: '$0.02', callUrl: `${seller.url}/dearer` },
      'dearer',
    );
    const revised = await market.ask('POST', '/api/marketplace/skills/dearer/versions', { body });
    assert.equal(revised.status, 201, revised.text);
    for (const amount of ['10000', '20000']) assert.equal((await sold('dearer', { told: { amount } })).status, 200, amount);
    assert.equal((await sold('dearer', { told: { amount: '15000' } })).status, 409);
  });
});
