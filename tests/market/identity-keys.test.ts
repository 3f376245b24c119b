/** Keys of an issuer of identities: they change, and what strangers sign causes no more reads of them. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, it } from 'node:test';

type CheckRs256 = (
  url: string,
  kid: string,
  text: string,
  signature: string,
  milliseconds: number,
) => Promise<'right' | 'wrong' | 'unread'>;
// By its address: the Worker's modules have types of their own.
const { checkRs256 } = (await import(new URL('../../src/market/issuers.mjs', import.meta.url).href)) as { checkRs256: CheckRs256 };

const pair = (): { privateKey: KeyObject; publicKey: KeyObject } => generateKeyPairSync('rsa', { modulusLength: 2048 });
const signed = (key: KeyObject, text: string): string => sign('sha256', Buffer.from(text), key).toString('base64url');
const [first, second] = [pair(), pair()];

let keys: { kid: string; key: KeyObject }[] = [];
let reads = 0;
let server: Server;
let url = '';
before(async () => {
  server = createServer((request, response) => {
    reads += 1;
    if (request.url === '/down') {
      response.writeHead(503).end();
      return;
    }
    response.end(
      JSON.stringify({ keys: keys.map(({ kid, key }) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' })) }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(() => server.close());

//
it('a key that came after the others were read proves a token at once, and one that is gone proves none', async () => {
  keys = [{ kid: 'a', key: first.publicKey }];
  assert.equal(await checkRs256(url, 'a', 'text', signed(first.privateKey, 'text'), 1_000), 'right');
  keys = [{ kid: 'b', key: second.publicKey }];
  assert.equal(await checkRs256(url, 'b', 'text', signed(second.privateKey, 'text'), 1_000), 'right');
  assert.equal(await checkRs256(url, 'a', 'text', signed(first.privateKey, 'text'), 1_000), 'wrong');
  assert.equal(await checkRs256(url, 'b', 'other', signed(second.privateKey, 'text'), 1_000), 'wrong');
  // Also where a token names no key.
  keys = [{ kid: 'c', key: first.publicKey }];
  assert.equal(await checkRs256(url, '', 'text', signed(first.privateKey, 'text'), 1_000), 'right');
});

//
it('an issuer that is down, and whose keys nobody has read, is asked once a second', async () => {
  reads = 0;
  const down = `${url}down`;
  const told = await Promise.all(Array.from({ length: 50 }, () => checkRs256(down, 'a', 'text', 'AAAA', 1_000)));
  assert.deepEqual(new Set(told), new Set(['unread']));
  assert.ok(reads <= 4, `${reads} reads`);
});

it('a crowd of strangers has the keys read once a second', async () => {
  reads = 0;
  const began = Date.now();
  const asked = Array.from({ length: 50 }, (_, number) =>
    checkRs256(url, `none-${number}`, 'text', signed(second.privateKey, 'text'), 1_000),
  );
  const own = checkRs256(url, 'c', 'text', signed(first.privateKey, 'text'), 1_000);
  assert.equal(await own, 'right');
  assert.ok(Date.now() - began < 900, 'who is known waits for no one');
  const told = await Promise.all(asked);
  assert.ok(
    told.every((said) => said === 'wrong' || said === 'unread'),
    String(told),
  );
  assert.ok(reads <= 2 + (Date.now() - began) / 1_000, `${reads} reads`);
});
