/** What clients and browsers may rely on in every answer: CORS, methods, caching, conditional requests, HTML. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { requiredBy, settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import {
  expectCalls,
  expectFreshTerms,
  expectNextGoodRequest,
  expectPaid,
  MODES,
  openWorld,
  ordinaryCalls,
  payFor,
  routes,
  rowsNamed,
  send,
  type World,
} from './support/world.ts';

const ALLOWED = [
  'PAYMENT-SIGNATURE',
  'X-PAYMENT',
  'Authorization',
  'Payment-Authorization',
  'Accept-Payment',
  'Idempotency-Key',
  'Farebox-Redelivery',
  'SIGN-IN-WITH-X',
  'Access-Control-Expose-Headers',
  'Content-Type',
  'Range',
  'x-correlation-id',
];
const EXPOSED = [
  'PAYMENT-REQUIRED',
  'PAYMENT-RESPONSE',
  'X-PAYMENT-RESPONSE',
  'WWW-Authenticate',
  'Payment-Receipt',
  'Payment-Replayed',
  'Retry-After',
  'x-correlation-id',
];
const MOZILLA: HeaderRow = ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0'];

describe('manners', () => {
  let world: World;
  before(async () => {
    world = await openWorld({
      routes: routes([
        { path: '/paged/*', price: '$0.01', cors: { headers: ['X-Api-Version'], origins: ['https://app.example'] } },
        ...MODES.map((settle) => ({ path: `/${settle}/moves/*`, price: '$0.01', settle, redirects: true })),
        { path: '/folder/', price: '$0.01' },
      ]),
    });
  });
  after(() => world.stop());

  //
  it('a page with a slash at its end is sold, and without it nobody gets it', async () => {
    const payment = await payFor(world, '/folder/');
    expectPaid(await send(world, '/folder/', payment), payment);
    for (const path of ['/folder', '/FOLDER', '/folder//', '/x/../folder', '/folder/?a=1']) {
      const answer = await world.gate.raw('GET', path);
      assert.equal(answer.status, path.includes('?') ? 402 : 400, `${path} ${answer.text}`);
    }
    assert.equal(world.origin.of('/folder').length, 0);
  });

  it('a redirect that adds the slash passes, and costs nothing', async () => {
    const path = '/after/paged';
    const payment = await payFor(world, path);
    world.origin.script(path, { status: 301, headers: { Location: `${path}/` }, body: '' });
    const answer = await send(world, path, payment);
    assert.deepEqual([answer.status, answer.headers['location'], settlementOf(answer)], [301, `${path}/`, undefined]);
    expectCalls(world, payment.payer, path, { ...ordinaryCalls('after'), settle: 0 });
    const second = await payFor(world, `${path}/`);
    expectPaid(await send(world, `${path}/`, second), second);
  });

  //
  it('OPTIONS on a path with a paid route is answered by the gate', async () => {
    for (const path of ['/after/x', '/before/x', '/get/x']) {
      const connection = await world.gate.connect();
      const rows: HeaderRow[] = [
        ['Origin', 'https://app.example'],
        ['Access-Control-Request-Method', 'GET'],
        ['Access-Control-Request-Headers', 'payment-signature'],
      ];
      const answer = await connection.send({ method: 'OPTIONS', target: path, headers: rows });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
      assert.ok(listed(answer, 'allow').includes('get'), 'Allow names the methods');
      assert.ok(listed(answer, 'access-control-allow-methods').includes('get'));
      includesAll(listed(answer, 'access-control-allow-headers'), ALLOWED);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(world.origin.of(path).length, 0);
      await expectNextGoodRequest(world, connection);
      connection.close();
    }
  });

  it('OPTIONS elsewhere is forwarded and free answers get no CORS headers of ours', async () => {
    world.origin.script('/free-options', { status: 200, headers: { Allow: 'GET, X-ORIGIN' }, body: '' });
    const answer = await world.gate.raw('OPTIONS', '/free-options');
    assert.equal(answer.headers['allow'], 'GET, X-ORIGIN');
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    assert.equal(world.origin.of('/free-options').length, 1);
  });

  it('answers on paid routes may be read by any page, unless the origin says otherwise', async () => {
    for (const mode of MODES) {
      const path = `/${mode}/cors`;
      const unpaid = await world.gate.raw('GET', path);
      const paid = await send(world, path, await payFor(world, path));
      const refused = await world.gate.raw('GET', path, [['PAYMENT-SIGNATURE', '*']]);
      for (const answer of [unpaid, paid, refused]) {
        assert.equal(answer.headers['access-control-allow-origin'], '*');
        assert.equal(answer.headers['access-control-allow-credentials'], undefined);
        includesAll(listed(answer, 'access-control-expose-headers'), EXPOSED);
      }
      const own = `/${mode}/cors-own`;
      world.origin.script(own, { headers: { 'Access-Control-Allow-Origin': 'https://app.example' } });
      const kept = await send(world, own, await payFor(world, own));
      assert.deepEqual(rowsNamed(kept.rawHeaders, 'access-control-allow-origin'), ['https://app.example']);
    }
  });

  //
  it('a page that the route names sends its own headers and credentials, and reads every answer; other pages send none', async () => {
    const path = '/paged/report';
    const from = (page: string): HeaderRow => ['Origin', page];
    const asked: HeaderRow[] = [
      ['Access-Control-Request-Method', 'GET'],
      ['Access-Control-Request-Headers', 'x-api-version'],
    ];
    const answersTo = async (page: string): Promise<Answer[]> => {
      const preflight = await world.gate.raw('OPTIONS', path, [from(page), ...asked]);
      // Asked three times, the terms are remembered where they are the same for all.
      const unpaid = [];
      for (const _ of [1, 2, 3]) unpaid.push(await world.gate.raw('GET', path, [from(page)]));
      const refused = await world.gate.raw('GET', path, [from(page), ['PAYMENT-SIGNATURE', '*']]);
      const payment = await payFor(world, path);
      // An origin that lets every page in.
      world.origin.script(path, { headers: { 'Access-Control-Allow-Origin': page, 'Access-Control-Allow-Credentials': 'true' } });
      const paid = await world.gate.raw('GET', path, [from(page), payment.row]);
      assert.deepEqual(
        [preflight, ...unpaid, refused, paid].map(({ status }) => status),
        [204, 402, 402, 402, 400, 200],
      );
      includesAll(listed(preflight, 'access-control-allow-headers'), [...ALLOWED, 'X-Api-Version']);
      return [preflight, ...unpaid, refused, paid];
    };
    for (const answer of await answersTo('https://app.example')) {
      assert.deepEqual(rowsNamed(answer.rawHeaders, 'access-control-allow-origin'), ['https://app.example']);
      assert.equal(answer.headers['access-control-allow-credentials'], 'true');
      assert.ok(listed(answer, 'vary').includes('origin'));
    }
    for (const answer of await answersTo('https://other.example')) {
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
      assert.ok(listed(answer, 'vary').includes('origin'));
    }
  });

  for (const mode of MODES) {
    //
    it(`HEAD costs what GET costs (${mode})`, async () => {
      const path = `/${mode}/head`;
      const connection = await world.gate.connect();
      const asked = await connection.send({ method: 'HEAD', target: path });
      assert.equal(asked.status, 402);
      assert.equal(asked.body.length, 0);
      assert.equal(requiredBy(asked).accepts[0]?.amount, '10000');
      assert.equal(world.origin.of(path).length, 0);
      const payment = await payFor(world, path);
      const paid = await connection.send({ method: 'HEAD', target: path, headers: [payment.row] });
      assert.equal(paid.status, 200);
      assert.equal(settlementOf(paid)?.['success'], true);
      assert.equal(world.origin.of(path)[0]?.method, 'HEAD');
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      await expectNextGoodRequest(world, connection, mode);
      connection.close();
    });

    //
    it(`conditions are dropped on paid requests and kept on free ones (${mode})`, async () => {
      const conditions: HeaderRow[] = [
        ['If-None-Match', '"v1"'],
        ['If-Match', '"v1"'],
        ['If-Modified-Since', 'Wed, 21 Oct 2026 07:28:00 GMT'],
        ['If-Unmodified-Since', 'Wed, 21 Oct 2026 07:28:00 GMT'],
        ['If-Range', '"v1"'],
      ];
      const path = `/${mode}/conditions`;
      const answer = await send(world, path, await payFor(world, path), { headers: conditions });
      assert.equal(answer.status, 200);
      const seen = world.origin.of(path)[0]?.headers ?? {};
      for (const [name] of conditions) assert.equal(seen[name.toLowerCase()], undefined, name);
      await world.gate.raw('GET', `/free-conditions-${mode}`, conditions);
      assert.equal(world.origin.of(`/free-conditions-${mode}`)[0]?.headers['if-none-match'], '"v1"');
    });

    //
    it(`a redirect is not sold (${mode})`, async () => {
      const path = `/${mode}/redirect`;
      const payment = await payFor(world, path);
      world.origin.script(path, { status: 302, headers: { Location: '/secret-location' }, body: 'secret' });
      const answer = await send(world, path, payment);
      assert.deepEqual([answer.status, answer.headers['location']], [502, undefined]);
      assert.equal(JSON.parse(answer.text).code, mode === 'after' ? 'origin_failed' : 'refund_due');
      expectCalls(world, payment.payer, path, { ...ordinaryCalls(mode), ...(mode === 'after' ? { settle: 0 } : {}) });
    });

    //
    it(`a redirect that is sold is not followed, and withheld until it is settled (${mode})`, async () => {
      const path = `/${mode}/moves/redirect`;
      const payment = await payFor(world, path);
      world.origin.script(path, { status: 302, headers: { Location: '/free-elsewhere' }, body: '' });
      const answer = await send(world, path, payment);
      expectPaid(answer, payment, 302);
      assert.match(answer.headers['location'] ?? '', /\/free-elsewhere$/);
      assert.equal(world.origin.of('/free-elsewhere').length, 0);
      expectCalls(world, payment.payer, path, ordinaryCalls(mode));
    });

    //
    it(`a redirect whose settlement is refused does not leak its location (${mode})`, async () => {
      const path = `/${mode}/moves/redirect-refused`;
      const payment = await payFor(world, path);
      world.origin.script(path, { status: 302, headers: { Location: '/secret-location' }, body: '' });
      world.facilitator.script(payment.payer, {
        settle: { kind: 'json', body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' } },
      });
      const answer = await send(world, path, payment);
      assert.equal(answer.status, 402);
      assert.equal(answer.headers['location'], undefined);
    });

    //
    it(`paid answers are never cached and receipts of the origin are not ours (${mode})`, async () => {
      const path = `/${mode}/origin-headers`;
      const payment = await payFor(world, path);
      world.origin.script(path, {
        headers: {
          'Cache-Control': 'public, max-age=600, s-maxage=900',
          'CDN-Cache-Control': 'max-age=900',
          'Surrogate-Control': 'max-age=900',
          ETag: '"v7"',
          'Set-Cookie': ['a=1', 'b=2'],
          'PAYMENT-RESPONSE': 'forged',
          'X-PAYMENT-RESPONSE': 'forged',
          'PAYMENT-REQUIRED': 'forged',
          'Payment-Receipt': 'forged',
          'WWW-Authenticate': 'Payment id="forged", method="x", Basic realm="kept"',
        },
      });
      const answer = await send(world, path, payment);
      expectPaid(answer, payment);
      assert.equal(rowsNamed(answer.rawHeaders, 'cache-control').length, 1);
      for (const name of ['cdn-cache-control', 'surrogate-control', 'payment-required']) {
        assert.equal(answer.headers[name], undefined, name);
      }
      assert.equal(answer.headers['etag'], '"v7"');
      assert.deepEqual(rowsNamed(answer.rawHeaders, 'set-cookie'), ['a=1', 'b=2']);
      assert.ok(!JSON.stringify(answer.rawHeaders).includes('forged'));
      assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="kept"$/);
    });
  }

  //
  it('a 304 of the origin on a paid request is not charged in after mode', async () => {
    const path = '/after/not-modified';
    const payment = await payFor(world, path);
    world.origin.script(path, { status: 304, headers: { ETag: '"v1"' }, body: '' });
    const answer = await send(world, path, payment);
    assert.ok(answer.status === 304 || answer.status === 502, `${answer.status}`);
    assert.equal(settlementOf(answer), undefined);
    expectCalls(world, payment.payer, path, { verify: 1, settle: 0, origin: 1 });
  });

  //
  it('receipt and challenge headers of the origin are removed from free answers as well', async () => {
    world.origin.script('/free-forged', {
      headers: {
        'PAYMENT-RESPONSE': 'forged',
        'X-PAYMENT-RESPONSE': 'forged',
        'PAYMENT-REQUIRED': 'forged',
        'Payment-Receipt': 'forged',
        'WWW-Authenticate': ['Payment id="forged"', 'Bearer realm="kept"'],
        'Cache-Control': 'public, max-age=600',
      },
    });
    const answer = await world.gate.raw('GET', '/free-forged');
    assert.equal(answer.status, 200);
    assert.ok(!JSON.stringify(answer.rawHeaders).includes('forged'));
    assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer realm="kept"$/);
    assert.equal(answer.headers['cache-control'], 'public, max-age=600', 'free answers keep their caching');
  });

  it("fields about the origin's own connection stay behind", async () => {
    for (const path of ['/free-connected', '/free-%C3%A9-connected']) {
      world.origin.script(path, { headers: { Connection: 'close', 'Keep-Alive': 'timeout=77', 'X-Kept': 'yes' } });
      const answer = await world.gate.raw('GET', path);
      assert.deepEqual([answer.status, answer.headers['x-kept'], answer.headers['keep-alive']], [200, 'yes', undefined], path);
      assert.notEqual(answer.headers['connection'], 'close', path);
    }
  });

  type Html = readonly [what: string, accept: string | undefined, agent: HeaderRow | undefined, html: boolean];
  const html: readonly Html[] = [
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', MOZILLA, true],
    ['a browser asking for JSON', 'application/json', MOZILLA, false],
    ['a browser ranking JSON first', 'application/json, text/html;q=0.9', MOZILLA, false],
    ['a browser ranking both alike', 'text/html, application/json', MOZILLA, false],
    ['a browser refusing HTML', 'text/html;q=0, */*', MOZILLA, false],
    ['a browser without preference', '*/*', MOZILLA, false],
    ['a browser without Accept', undefined, MOZILLA, false],
    ['an agent that likes HTML', 'text/html', ['User-Agent', 'agent/1.0'], false],
    ['HTML without an agent', 'text/html', undefined, false],
  ];
  for (const [what, accept, agent, expected] of html) {
    it(`${what} gets ${expected ? 'HTML' : 'JSON'} with the same terms`, async () => {
      const rows: HeaderRow[] = [];
      if (accept !== undefined) rows.push(['Accept', accept]);
      if (agent !== undefined) rows.push(agent);
      const answer = await world.gate.raw('GET', '/after/html?next=<script>', rows);
      assert.equal(answer.status, 402);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(requiredBy(answer).accepts[0]?.amount, '10000');
      if (!expected) return void expectFreshTerms(answer, 'payment_required');
      assert.match(answer.headers['content-type'] ?? '', /^text\/html\b/);
      assert.deepEqual([...new Set(listed(answer, 'vary'))].sort(), ['accept', 'user-agent']);
      assert.ok(!answer.text.includes('next=<script>'));
    });
  }

  it('a correlation id is taken over when well formed and made otherwise', async () => {
    for (const [id, taken] of [
      ['abcDEF_-0123', true],
      ['a'.repeat(8), true],
      ['a'.repeat(64), true],
      ['a'.repeat(7), false],
      ['a'.repeat(65), false],
      ['abcdefgh ijk', false],
      ['abcdefgh"x', false],
    ] as const) {
      for (const target of ['/after/correlated', '/free-correlated']) {
        const answer = await world.gate.raw('GET', target, [['X-Correlation-Id', id]]);
        const echoed = answer.headers['x-correlation-id'] ?? '';
        assert.match(echoed, /^[A-Za-z0-9_-]{8,64}$/);
        assert.equal(echoed === id, taken, id);
        if (target === '/free-correlated') assert.equal(world.origin.of(target).at(-1)?.headers['x-correlation-id'], echoed);
      }
    }
  });

  it('the gate asks with at most one WWW-Authenticate line', async () => {
    const answer = await world.gate.raw('GET', '/after/authenticate');
    assert.ok(rowsNamed(answer.rawHeaders, 'www-authenticate').length <= 1);
  });
});

function listed(answer: Answer, name: string): string[] {
  return (answer.headers[name] ?? '').split(',').map((part) => part.trim().toLowerCase());
}

function includesAll(found: readonly string[], wanted: readonly string[]): void {
  for (const name of wanted) assert.ok(found.includes(name.toLowerCase()), `${name} in ${found.join(', ')}`);
}
