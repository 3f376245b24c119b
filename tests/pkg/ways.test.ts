// What the store knows of a purchase under a key that is paid by channel.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { memoryStore } from '../../pkg/dist/index.js';
import { requestOf } from '../../pkg/dist/request.js';
import { Ways } from '../../pkg/dist/ways.js';

//
test('a deposit that leaves for a purchase keeps the voucher that has left for it before', async () => {
  const ways = new Ways(memoryStore(), () => 1_763_618_400);
  const request = await requestOf('https://api.example.com/report', { headers: { 'idempotency-key': 'k' } }, false);
  const call = await ways.begin(request, 'call');
  assert.ok(call);
  const voucher = { channel: '0x01', amount: '100', before: '90', alone: true };
  await ways.look(call);
  await ways.leaves(call, '0x01', voucher);
  await ways.leaves(call, '0x01', undefined);
  assert.deepEqual((await ways.look(call))?.voucher, voucher);
  // The voucher after it takes its place.
  const higher = { ...voucher, amount: '200', before: '100' };
  await ways.leaves(call, '0x01', higher);
  assert.deepEqual((await ways.look(call))?.voucher, higher);
  ways.end(call);
});
