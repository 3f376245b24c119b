import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { BIG_BYTES, bigPart } from '../../demo/origin.mjs';
import { sharedWorld } from '../support/suite.ts';
import { payingFetch, settlementOf } from './clients.ts';
import { startWorld, transfersOf } from './world.ts';

const world = sharedWorld(startWorld);

/** Asks for a held answer, and reads it before and after the origin may finish it. */
async function readHeld(target: string) {
  const response = await payingFetch(fetch, world.chain.accounts.payer)(`${world.gate.url}${target}`);
  assert.equal(response.status, 200);
  assert.ok(response.body);
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  const first = await reader.read();
  if (first.value) parts.push(first.value);
  const endedEarly = world.origin.requests.at(-1)?.ended;
  world.origin.release();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
  }
  return { response, first: first.value, endedEarly, body: Buffer.concat(parts) };
}

for (const path of ['/big', '/big/before']) {
  test(`the first byte of five megabytes from ${path} arrives before the last is produced`, async () => {
    const { response, first, endedEarly, body } = await readHeld(`${path}?hold`);
    assert.ok((first?.length ?? 0) > 0);
    assert.equal(endedEarly, false);
    assert.equal(body.length, BIG_BYTES);
    const expected = createHash('sha256');
    for (let offset = 0; offset < BIG_BYTES; offset += bigPart(offset).length) expected.update(bigPart(offset));
    assert.equal(createHash('sha256').update(body).digest('hex'), expected.digest('hex'));
    const { transaction } = settlementOf(response.headers, 2);
    assert.deepEqual(
      (await transfersOf(world, transaction)).map(({ value }) => value),
      [PRICE_ATOMIC],
    );
  });
}

for (const path of ['/events', '/events/before']) {
  test(`events from ${path} arrive one by one, the first before the last is produced`, async () => {
    const { response, first, endedEarly, body } = await readHeld(`${path}?count=3&every=20&hold`);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.match(Buffer.from(first ?? []).toString('utf8'), /^id: 1\n/);
    assert.equal(endedEarly, false);
    const ids = [...body.toString('utf8').matchAll(/^id: (\d+)$/gm)].map((match) => match[1]);
    assert.deepEqual(ids, ['1', '2', '3']);
    const { transaction } = settlementOf(response.headers, 2);
    assert.deepEqual(
      (await transfersOf(world, transaction)).map(({ value }) => value),
      [PRICE_ATOMIC],
    );
  });
}
