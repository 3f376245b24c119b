/** The three functions of docs/origin.md, cut out of it, against requests that the gate signed and requests that it did not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

import { startOrigin } from '../../demo/origin.mjs';
import { MODES, openWorld, payFor, send } from './support/world.ts';

const ORIGIN_SECRET = 'origin-secret-of-the-test-suite-0123456789abcdef';

type Signed = { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders };
type Judge = (request: Signed, secret: string) => boolean;

/** The one block of this language. */
function block(language: string): string {
  const blocks = [...readFileSync('docs/origin.md', 'utf8').matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))];
  assert.equal(blocks.length, 1, language);
  return blocks[0]?.[1] ?? '';
}

describe('what the document tells an origin to check', () => {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-origin-'));
  let signed: readonly Signed[] = [];
  before(async () => {
    const world = await openWorld({ secrets: { ORIGIN_SECRET } });
    try {
      for (const target of ['/free', '/free/caf%C3%A9;x?a=%2F&b', "/free/\"<^`{a}>'?'a'=\"<^`{b}>?"])
        assert.equal((await world.gate.raw('POST', target, [], 'body')).status, 200);
      for (const mode of MODES) {
        const path = `/${mode}/signed?a='1'`;
        assert.equal((await send(world, path, await payFor(world, path))).status, 200);
      }
      signed = world.origin.calls.map(({ method, target, headers }) => ({ method, url: target, headers: { ...headers } }));
      assert.equal(signed.length, 5);
    } finally {
      await world.stop();
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  //
  it("in Node: no request but the gate's, unchanged and of now, is let in", async () => {
    const path = join(folder, 'block.mjs');
    writeFileSync(path, block('js'));
    const { isFromGate } = (await import(pathToFileURL(path).href)) as { isFromGate: Judge };
    judge(signed, isFromGate);
    assert.ok(
      readFileSync('demo/from-gate.mjs', 'utf8').includes(block('js').slice(block('js').indexOf('export'))),
      'the demo has the same',
    );
  });

  it("in Python: no request but the gate's, unchanged and of now, is let in", () => {
    const path = join(folder, 'block.py');
    const main =
      'import json, sys\nfor line in sys.stdin:\n    method, url, headers, secret = json.loads(line)\n    print(is_from_gate(method, url, headers, secret))\n';
    writeFileSync(path, `${block('python')}\n${main}`);
    assert.match(execFileSync('python3', ['--version'], { encoding: 'utf8' }), /^Python 3/);
    judge(signed, ({ method, url, headers }, secret) => {
      const said = execFileSync('python3', [path], {
        encoding: 'utf8',
        input: `${JSON.stringify([method, url, headers, secret])}\n`,
      }).trim();
      assert.match(said, /^(True|False)$/);
      return said === 'True';
    });
  });

  it("in njs, here run by Node: no request but the gate's, unchanged and of now, is let in", async () => {
    const judgeBy = async (secret: string): Promise<Judge> => {
      const path = join(folder, `block-${secret.length}.mjs`);
      writeFileSync(path, block('njs'));
      process.env['ORIGIN_SECRET'] = secret;
      const gate = (await import(pathToFileURL(path).href)) as { default: { fromGate(r: object): string } };
      return ({ method, url, headers }) => {
        // njs gives header fields under any spelling of their names.
        const headersIn = new Proxy(headers, { get: (all, name) => all[String(name).toLowerCase()] });
        const said = gate.default.fromGate({ method, headersIn, variables: { request_uri: url } });
        assert.match(said, /^(yes|no)$/);
        return said === 'yes';
      };
    };
    const right = await judgeBy(ORIGIN_SECRET);
    const wrong = await judgeBy(OTHER_SECRET);
    const none = await judgeBy('');
    delete process.env['ORIGIN_SECRET'];
    judge(signed, (request, secret) => (secret === ORIGIN_SECRET ? right : wrong)(request, secret));
    for (const request of signed) assert.equal(none(resigned(request, {}, ''), ''), false, 'without a secret nobody is let in');
  });

  it("is what the demo's origin does", async () => {
    const origin = await startOrigin({ secret: ORIGIN_SECRET });
    const world = await openWorld({ secrets: { ORIGIN_SECRET }, vars: { ORIGIN_URL: origin.url } });
    try {
      assert.equal((await world.gate.raw('GET', '/about')).status, 200);
      const payment = await payFor(world, '/after/x');
      assert.equal((await send(world, '/after/x', payment)).status, 404, 'it answers, if only that there is no such page');
      const { length } = origin.requests;
      const direct: readonly Record<string, string>[] = [
        {},
        { 'Farebox-Payer': payment.payer, 'Farebox-Payment': 'rcpt_x' },
        { 'Farebox-Signature-V2': String(origin.requests[0]?.headers['farebox-signature-v2']) },
      ];
      for (const headers of direct) {
        const answer = await fetch(`${origin.url}/report`, { headers });
        assert.equal(answer.status, 403);
      }
      assert.equal(origin.requests.length, length, 'what it refuses is not served');
    } finally {
      await world.stop();
      await origin.stop();
    }
  });
});

const OTHER_SECRET = `${ORIGIN_SECRET}-other`;

function judge(signed: readonly Signed[], isFromGate: Judge): void {
  for (const request of signed) {
    assert.equal(isFromGate(request, ORIGIN_SECRET), true, request.url);
    assert.equal(isFromGate(request, OTHER_SECRET), false, 'another secret');
    const { headers } = request;
    const signature = String(headers['farebox-signature-v2']);
    const without = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'farebox-signature-v2'));
    const changed: Readonly<Record<string, Signed>> = {
      method: { ...request, method: 'PUT' },
      target: { ...request, url: `${request.url}x` },
      payer: { ...request, headers: { ...headers, 'farebox-payer': '0x0000000000000000000000000000000000000001' } },
      payment: { ...request, headers: { ...headers, 'farebox-payment': 'rcpt_forged' } },
      amount: { ...request, headers: { ...headers, 'farebox-amount': '1' } },
      asset: { ...request, headers: { ...headers, 'farebox-asset': '0x0000000000000000000000000000000000000001' } },
      network: { ...request, headers: { ...headers, 'farebox-network': 'eip155:8453' } },
      transaction: { ...request, headers: { ...headers, 'farebox-transaction': `0x${'1'.repeat(64)}` } },
      'no signature': { ...request, headers: without },
      'time alone': {
        ...request,
        headers: { ...headers, 'farebox-signature-v2': signature.replace(/t=(\d+)/, (_, t: string) => `t=${Number(t) + 1}`) },
      },
      'digits alone': {
        ...request,
        headers: { ...headers, 'farebox-signature-v2': signature.replace(/.$/, (last) => (last === '0' ? '1' : '0')) },
      },
      'two signatures': { ...request, headers: { ...headers, 'farebox-signature-v2': `${signature}, ${signature}` } },
      'an empty one': { ...request, headers: { ...headers, 'farebox-signature-v2': '' } },
      'a long time ago': resigned(request, { ago: 400 }),
      'a long time ahead': resigned(request, { ago: -400 }),
    };
    for (const [what, other] of Object.entries(changed)) assert.equal(isFromGate(other, ORIGIN_SECRET), false, `${what}: ${request.url}`);
    for (const ago of [0, 200, -200]) assert.equal(isFromGate(resigned(request, { ago }), ORIGIN_SECRET), true, `${ago} s ago`);
  }
}

/** The same request with a signature that is right at another time. */
function resigned(request: Signed, { ago = 0 }: { readonly ago?: number }, secret = ORIGIN_SECRET): Signed {
  const time = Math.floor(Date.now() / 1000) - ago;
  const told = ['payer', 'payment', 'amount', 'asset', 'network', 'transaction'].map((name) =>
    String(request.headers[`farebox-${name}`] ?? ''),
  );
  const mac = createHmac('sha256', secret)
    .update([time, request.method, request.url, ...told].join('\n'))
    .digest('hex');
  return { ...request, headers: { ...request.headers, 'farebox-signature-v2': `t=${time},v2=${mac}` } };
}
