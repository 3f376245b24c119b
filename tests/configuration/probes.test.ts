/** What `npm run check` asks: facilitator, origin and node, each named before it is asked. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';

import { check, type Report } from '../../scripts/check/index.mjs';
import { openFolder, settingsOf, TABLE, tomlOf, type Value, type Vars } from './table.ts';

type Server = { readonly url: string; readonly asked: string[]; stop(): Promise<void> };
type Asked = { readonly report: Report; readonly events: readonly string[] };

const LISTS = JSON.stringify({ kinds: [{ x402Version: 2, scheme: 'exact', network: 'eip155:84532' }] });
const LISTS_V1 = JSON.stringify({ kinds: [{ x402Version: 1, scheme: 'exact', network: 'base-sepolia' }] });
const PAY_TO = TABLE.base['PAY_TO'] as string;

async function serve(events: string[], answer: RequestListener): Promise<Server> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    events.push(`asked ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const says =
  (status: number, body: string): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(body);

/** Checks a good configuration between these three. */
async function probed(
  answers: { facilitator?: RequestListener; origin?: RequestListener; node?: RequestListener },
  vars: (urls: { facilitator: string; origin: string; node: string }) => Vars = () => ({}),
): Promise<Asked & { readonly servers: { readonly facilitator: Server; readonly origin: Server; readonly node: Server } }> {
  const events: string[] = [];
  const [facilitator, origin, node] = await Promise.all([
    serve(events, answers.facilitator ?? says(200, LISTS)),
    serve(events, answers.origin ?? says(403, 'no')),
    serve(events, answers.node ?? says(200, '{"jsonrpc":"2.0","id":1,"result":"0x"}')),
  ]);
  const folder = openFolder();
  try {
    const good = settingsOf({});
    const urls = { facilitator: facilitator.url, origin: origin.url, node: node.url };
    const text = tomlOf({ ...good.vars, FACILITATOR_URL: `${facilitator.url}/x402/`, ORIGIN_URL: `${origin.url}/v1`, ...vars(urls) });
    folder.write(text, good.secrets);
    const report = await check({ file: folder.file, say: (line) => events.push(line) });
    return { report, events, servers: { facilitator, origin, node } };
  } finally {
    folder.remove();
    await Promise.all([facilitator.stop(), origin.stop(), node.stop()]);
  }
}

describe('probes', () => {
  it('a facilitator that lists the network and an origin that is closed are nothing to warn of', async () => {
    const { report, events, servers } = await probed({});
    assert.deepEqual([report.ok, report.warnings], [true, []]);
    assert.deepEqual(servers.facilitator.asked, ['GET /x402/supported']);
    assert.deepEqual(servers.origin.asked, ['GET /v1/good']);
    assert.deepEqual(report.probes, [
      { url: `${servers.facilitator.url}/x402/supported`, result: 'lists eip155:84532' },
      { url: `${servers.origin.url}/v1/good`, result: 'answers 403' },
    ]);
    for (const target of ['/x402/supported', '/v1/good']) {
      const named = events.findIndex((event) => event.startsWith('asking ') && event.includes(target));
      assert.ok(named >= 0 && named < events.indexOf(`asked ${target}`), `${target} is named before it is asked: ${events.join('; ')}`);
    }
  });

  it('a network may be listed by its version 1 name', async () => {
    const { report } = await probed({ facilitator: says(200, LISTS_V1) });
    assert.deepEqual(report.warnings, []);
  });

  it('a network that the facilitator does not list is a warning', async () => {
    const { report } = await probed({}, () => ({ NETWORK: 'base' }));
    assert.deepEqual(
      report.warnings.map(({ variable }) => variable),
      ['FACILITATOR_URL'],
    );
    assert.match(report.warnings[0]?.remedy ?? '', /eip155:8453/);
  });

  it('a network where no facilitator sends deposits of sessions is a warning, if a route sells so', async () => {
    const both = JSON.stringify({
      kinds: [...JSON.parse(LISTS).kinds, { x402Version: 2, scheme: 'batch-settlement', network: 'eip155:84532' }],
    });
    const sessions: Vars = { ROUTES: [{ path: '/good', price: '$0.01', session_delay_secs: 900 }] };
    const warnings = async (vars: (facilitator: string) => Vars, answer = LISTS) => {
      const { report } = await probed({ facilitator: says(200, answer) }, ({ facilitator }) => vars(facilitator));
      return report.warnings.map(({ variable, remedy }) => [
        variable,
        /no facilitator lists batch-settlement on eip155:84532/.test(remedy),
      ]);
    };
    assert.deepEqual(await warnings(() => sessions), [['ROUTES', true]]);
    assert.deepEqual(await warnings(() => sessions, both), []);
    assert.deepEqual(await warnings(() => ({})), []);
    // One that is not asked may list it.
    assert.deepEqual(
      await warnings((url) => ({ ...sessions, FACILITATOR_URL: [{ url } as Value, { url: `${url}/other`, auth: { bearer: 'F_TOKEN' } }] })),
      [],
    );
  });

  it('a facilitator of a sponsored route that does not list the extension is a warning, whatever another one lists', async () => {
    const kinds = ['eip155:84532', 'eip155:80002'].map((network) => ({ x402Version: 2, scheme: 'exact', network }));
    const facilitator: RequestListener = (request, response) => {
      const extensions = request.url?.startsWith('/pays') ? ['eip2612GasSponsoring'] : [];
      response.end(JSON.stringify({ kinds, extensions }));
    };
    const warnings = async (on: string | undefined, listed: readonly [place: string, network: string][]) => {
      const { report } = await probed({ facilitator }, ({ facilitator: url }) => ({
        NETWORK: kinds.map(({ network }) => network),
        ROUTES: [
          {
            path: '/good',
            price: '$0.01',
            asset_transfer_method: 'permit2',
            gas_sponsoring: true,
            ...(on === undefined ? {} : { network: on }),
          },
        ],
        FACILITATOR_URL: listed.map(([place, network]) => ({ url: `${url}${place}`, networks: [network] })),
      }));
      assert.equal(report.ok, true, JSON.stringify(report.errors));
      return report.warnings.map(({ variable, remedy }) => [variable, /\/(\w+)\/supported does not list; payers/.exec(remedy)?.[1]]);
    };
    const [pays, not] = [['/pays', 'eip155:84532'] as const, ['/not', 'eip155:80002'] as const];
    assert.deepEqual(await warnings(undefined, [[...pays], [...not]]), [['ROUTES', 'not']]);
    assert.deepEqual(await warnings('eip155:80002', [[...pays], [...not]]), [['ROUTES', 'not']]);
    assert.deepEqual(await warnings('polygon-amoy', [[...pays], [...not]]), [['ROUTES', 'not']]);
    // The one that lacks it is not asked for this route.
    assert.deepEqual(await warnings('eip155:84532', [[...pays], [...not]]), []);
    assert.deepEqual(await warnings(undefined, [[...pays], ['/pays/more', 'eip155:80002']]), []);
    assert.deepEqual(await warnings(undefined, [['/not', '*']]), [['ROUTES', 'not']]);
  });

  it('a facilitator that wants a key is not asked', async () => {
    const { report, servers } = await probed({}, ({ facilitator }) => ({
      FACILITATOR_URL: [{ url: facilitator, auth: { bearer: 'F_TOKEN' } }],
    }));
    assert.deepEqual(servers.facilitator.asked, []);
    assert.match(report.probes[0]?.result ?? '', /it needs the key of the gate/);
    assert.deepEqual(report.warnings, []);
  });

  for (const [what, facilitator] of [
    ['fails', says(500, 'no')],
    ['hangs up', (request: IncomingMessage) => request.socket.destroy()],
  ] as const) {
    it(`a facilitator that ${what} is a warning, and ends the probe, not the check`, async () => {
      const { report } = await probed({ facilitator });
      assert.deepEqual([report.ok, report.warnings.map(({ variable }) => variable), report.probes.length], [true, ['FACILITATOR_URL'], 2]);
    });
  }

  it('a facilitator that answers with a page is an error', async () => {
    const { report } = await probed({ facilitator: says(200, '<html>') });
    assert.deepEqual([report.ok, report.errors.map(({ variable }) => variable), report.probes.length], [false, ['FACILITATOR_URL'], 2]);
    assert.match(report.errors[0]?.remedy ?? '', /^http:.*\/supported is no facilitator: it answers with a page, not with JSON/);
  });

  //
  it('an origin that serves a paid path to anybody is a warning, one without a body is not', async () => {
    const open = await probed({ origin: says(200, 'the report') });
    assert.deepEqual(
      open.report.warnings.map(({ variable }) => variable),
      ['ORIGIN_URL'],
    );
    assert.match(open.report.warnings[0]?.remedy ?? '', /ORIGIN_SECRET/);
    const empty = await probed({ origin: says(200, '') });
    assert.deepEqual(empty.report.warnings, []);
  });

  //
  it('a redirect of the facilitator is a warning where it is followed, else an error', async () => {
    const from =
      (to: (url: string) => string): RequestListener =>
      ({ url = '', headers }, response) =>
        url.startsWith('/new') ? response.end(LISTS) : response.writeHead(308, { location: to(`${headers.host}/new${url}`) }).end();
    const followed = await probed({ facilitator: from((place) => `http://${place}`) });
    assert.deepEqual([followed.report.ok, followed.report.warnings.map(({ variable }) => variable)], [true, ['FACILITATOR_URL']]);
    assert.match(followed.report.warnings[0]?.remedy ?? '', /redirects to .*\/new\/x402\/supported; name that address/);
    const elsewhere = await probed({ facilitator: from((place) => `http://${place.replace('127.0.0.1', 'localhost')}`) });
    assert.deepEqual([elsewhere.report.ok, elsewhere.report.errors.map(({ variable }) => variable)], [false, ['FACILITATOR_URL']]);
    assert.ok(elsewhere.servers.facilitator.asked.every((line) => !line.includes('/new')));
  });

  const to =
    (location: string): RequestListener =>
    (_request, response) =>
      response.writeHead(302, { location }).end();

  it('a redirect of a priced path is a warning that names the path to list', async () => {
    const remedyOf = async (path: string, location: string): Promise<readonly (string | undefined)[]> => {
      const { report } = await probed({ origin: to(location) }, () => ({ ROUTES: [{ path, price: '$1' }] }));
      return report.warnings.map(({ remedy }) => remedy);
    };
    const begin = 'is priced and redirects to';
    const unsold = 'and redirects are not sold: nobody gets what they pay for;';
    assert.deepEqual(await remedyOf('/good', '/v1/good/'), [`/good ${begin} /good/, ${unsold} write the path as "/good/"`]);
    assert.deepEqual(await remedyOf('/good/', '/v1/good'), [`/good/ ${begin} /good, ${unsold} write the path as "/good"`]);
    assert.deepEqual(await remedyOf('/good/*', '/v1/good'), [], 'such a route has both');
    for (const [location, named] of [
      ['/v1/login', '/login'],
      ['https://elsewhere.example/good', 'https://elsewhere.example'],
    ] as const) {
      assert.deepEqual(await remedyOf('/good', location), [
        `/good ${begin} ${named}, ${unsold} list the path that answers, or set \`redirects = true\` if it is the address that is sold`,
      ]);
    }
  });

  it('a redirect that is sold is a warning if it leads to another priced path, to a free one it is not', async () => {
    const routes: Value = [
      { path: '/good', price: '$1', redirects: true },
      { path: '/u/[id]', price: '$1' },
      { path: '/u/me', price: 'free' },
    ];
    const twice = await probed({ origin: to('/v1/u/7') }, () => ({ ROUTES: routes }));
    assert.deepEqual(
      twice.report.warnings.map(({ variable }) => variable),
      ['ROUTES'],
    );
    assert.match(twice.report.warnings[0]?.remedy ?? '', /\/good is priced and redirects to \/u\/7.*pays twice/);
    for (const free of ['/v1/u/me', '/v1/other', 'https://elsewhere.example/good']) {
      assert.deepEqual((await probed({ origin: to(free) }, () => ({ ROUTES: routes }))).report.warnings, [], free);
    }
  });

  it('asks the origin for the first path that is paid, with something in the place of its parameters', async () => {
    const routes: Value = [
      { path: '/free', price: 'free' },
      { path: '/post', price: '$1', methods: ['POST'] },
      { path: '/u/[id]/*', price: '$1' },
    ];
    const { servers } = await probed({}, () => ({ ROUTES: routes }));
    assert.deepEqual(servers.origin.asked, ['GET /v1/u/1/']);
  });

  it('a payee that is a contract is a warning, and the key of the node is not shown', async () => {
    const withNode = ({ node }: { node: string }): Vars => ({ RPC_URL: `${node}/v2/canary?key=canary` });
    const plain = await probed({}, withNode);
    // The node is on this machine, where nothing that is deployed reaches it.
    assert.deepEqual(
      plain.report.warnings.map(({ variable }) => variable),
      ['RPC_URL'],
    );
    assert.deepEqual(plain.servers.node.asked, ['POST /v2/canary?key=canary']);
    const contract = await probed({ node: says(200, '{"jsonrpc":"2.0","id":1,"result":"0x6080"}') }, withNode);
    assert.deepEqual(
      contract.report.warnings.map(({ variable }) => variable),
      ['PAY_TO', 'RPC_URL'],
    );
    const shown = contract.events.filter((event) => !event.startsWith('asked ')).join('\n') + JSON.stringify(contract.report);
    assert.ok(shown.includes(PAY_TO) && !shown.includes('canary'), shown);
  });
});
