/** A call under a key sends nothing beside what a full record may have dropped since it began. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLocalAgentClient, type FetchPaidError } from '../../pkg/dist/agent/index.js';
import { type FareboxError, type PayOptions, payingFetch, type Store } from '../../pkg/dist/index.js';
import { requestOf } from '../../pkg/dist/request.js';
import { resume } from '../../pkg/dist/resume.js';
import { beganIn, hasDropped, type SentRow, sentIn, withSent } from '../../pkg/dist/sent.js';
import { update } from '../../pkg/dist/store.js';
import { type Call, Ways } from '../../pkg/dist/ways.js';
import { eventually } from '../support/eventually.ts';
import { askFor, challenge, credentialOf, deliver } from './charges.ts';
import { GOODS, PAYER_KEY, sharedShop, storeOf } from './shop.ts';

/** Sells by a nonce of its own: one for each 402. */
const shop = sharedShop((request, response) => {
  if (credentialOf(request) === undefined) askFor(response, [challenge({})]);
  else deliver(response);
});
const charges = (): number => new Set(shop.requests.map(credentialOf).filter((it) => it !== undefined)).size;

/** A process of its own at one record: it buys under a key, and says how that ended. */
type Buys = (store: Store, key: string, now: () => number, confirm?: PayOptions['confirm']) => Promise<string>;
const processes = (store: Store): Store => ({ read: () => store.read(), replace: (version, record) => store.replace(version, record) });
const optionsOf = (store: Store, now: () => number, confirm: PayOptions['confirm']): PayOptions => ({
  signer: PAYER_KEY,
  store: processes(store),
  now,
  policy: { hosts: [shop.host] },
  ...(confirm === undefined ? {} : { confirm }),
});
const PAYERS: Record<string, Buys> = {
  'a wrapped fetch': (store, key, now, confirm) =>
    payingFetch({ ...optionsOf(store, now, confirm), resume })(`${shop.url}/report`, { headers: { 'idempotency-key': key } }).then(
      (response) => response.text(),
      ({ code }: FareboxError) => code,
    ),
  'a local agent': (store, key, now, confirm) =>
    createLocalAgentClient(optionsOf(store, now, confirm))
      .fetchPaid(`${shop.url}/report`, undefined, { idempotencyKey: key })
      .then(
        ({ response }) => response.text(),
        ({ details, reason }: FetchPaidError) => (details.kind === 'execution_inconclusive' ? String(reason).split(':')[0]! : details.kind),
      ),
};

const rowAt = (url: string, name: string, open: boolean, more: object = {}): SentRow => [
  `fetch ${name}`,
  Math.floor(Date.now() / 1000),
  open,
  JSON.stringify({ method: 'GET', url, key: name, ...more }),
];
const hosts = (count: number): string[] => Array.from({ length: count }, (_, at) => `https://h${at}.example/`);
const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3_600;
/** The record at first, how many are bought after the one in question, and how much later that is. */
const FULL: Record<string, { readonly rows: () => SentRow[]; readonly more: number; readonly later: number }> = {
  'by the rows of all hosts': {
    rows: () => Array.from({ length: 1_024 }, (_, at) => rowAt(`https://h${at % 128}.example/`, `other ${at}`, false)),
    more: 16,
    later: 0,
  },
  'by the text of its host': {
    rows: () => Array.from({ length: 16 }, (_, at) => rowAt(shop.url, `other ${at}`, true, { ends: inAnHour(), body: 'x'.repeat(31_400) })),
    more: 60,
    later: 0,
  },
  'by the rows of its host, with one that was open then and has ended': {
    rows: () => [rowAt(shop.url, 'open', true, { ends: Math.floor(Date.now() / 1000) + 30 })],
    more: 257,
    later: 100,
  },
};

/** Of agents' rows, which are longer, no host has so many. */
const PLAYS = Object.entries(FULL).flatMap(([how, full]) =>
  Object.entries(PAYERS).flatMap(([payer, buys]) => (full.more > 256 && payer === 'a local agent' ? [] : [{ payer, buys, how, ...full }])),
);

for (const { payer, buys, how, rows, more, later } of PLAYS) {
  //
  test(`${payer} that began before pays nothing beside what was delivered under its key and dropped ${how}`, async () => {
    const store = await storeOf(JSON.stringify({ v: 2, entries: [], pins: [], sent: rows() }));
    let ahead = 0;
    const now = (): number => Date.now() / 1000 + ahead;
    const answers: ((yes: boolean) => void)[] = [];
    const slow = buys(store, 'order-17', now, () => new Promise((resolve) => answers.push(resolve)));
    await eventually('the person is asked', () => answers.length === 1);
    const names = async (): Promise<string[]> => sentIn((await store.read()).record).map(([name]) => name);
    const had = new Set(await names());
    assert.equal(await buys(store, 'order-17', now), GOODS);
    const mine = (await names()).find((name) => !had.has(name) && name !== 'dropped');
    for (let at = 0; at < more; at += 1) assert.equal(await buys(store, `more-${at}`, now), GOODS);
    assert.ok(mine !== undefined && !(await names()).includes(mine), 'it is dropped');
    ahead = later;
    answers.pop()?.(true);
    assert.equal(await slow, 'payment_unresolved');
    assert.equal(charges(), 1 + more);
    // Of what was dropped before it began a call can miss nothing.
    assert.equal(await buys(store, 'order-18', now), GOODS);
  });
}

for (const [payer, buys] of Object.entries(PAYERS))
  test(`${payer} is refused nothing for what it knew, however full the record is`, async () => {
    const rows = (at: number): SentRow[] => [shop.url, ...hosts(127)].map((url, host) => rowAt(url, `${host} ${at}`, false));
    const sent = Array.from({ length: 8 }, (_, at) => rows(at)).flat();
    const store = await storeOf(JSON.stringify({ v: 2, entries: [], pins: [], sent }));
    const answers: ((yes: boolean) => void)[] = [];
    const now = (): number => Date.now() / 1000;
    const slow = buys(store, 'order-17', now, () => new Promise((resolve) => answers.push(resolve)));
    await eventually('the person is asked', () => answers.length === 1);
    for (let at = 0; at < 6; at += 1) assert.equal(await buys(store, `more-${at}`, now), GOODS);
    const record = sentIn((await store.read()).record);
    assert.ok(!record.some(([name]) => name === 'fetch 0 0'), 'some of its host are dropped');
    answers.pop()?.(true);
    assert.equal(await slow, GOODS);
  });

/** A record of these rows. */
const recordOf = (sent: readonly SentRow[]): string => JSON.stringify({ v: 2, entries: [], pins: [], sent });

test('what was dropped is counted by its host, of many hosts together, and stays', () => {
  const here = 'https://here.example/';
  const began = (record: string | undefined) => beganIn(sentIn(record), here);
  // A record of before counts nothing.
  let record = recordOf([0, 1].flatMap((turn) => hosts(512).map((url, at) => rowAt(url, `${turn} ${at}`, false))));
  for (const [at, url] of hosts(600).entries()) record = withSent(record, rowAt(url, `new ${at}`, false));
  const counts = sentIn(record).filter(([name]) => name === 'dropped');
  assert.ok(counts.length === 1 && JSON.stringify(counts).length < 16_384, 'it stays short');
  const before = began(record);
  for (const [at, url] of hosts(50).entries()) record = withSent(record, rowAt(url, `newer ${at}`, false));
  assert.equal(hasDropped(sentIn(record), here, before), false, 'of other hosts');
  for (let at = 0; at < 257; at += 1) record = withSent(record, rowAt(here, `here ${at}`, false));
  assert.equal(hasDropped(sentIn(record), here, before), true);
  assert.equal(hasDropped(sentIn(record), here, began(record)), false);
});

test('a refund that was told of stays where others go, and proves of none that it is still there', () => {
  const here = 'https://here.example/';
  const refund = rowAt(here, 'refund', false, { refunded: true, ends: inAnHour() });
  const before = beganIn([refund], here);
  let record = recordOf([refund]);
  for (let at = 0; at < 257; at += 1) record = withSent(record, rowAt(here, `here ${at}`, false));
  assert.ok(sentIn(record).some(([name]) => name === refund[0]));
  assert.equal(hasDropped(sentIn(record), here, before), true);
});

//
test('what one way has paid under a key and the record has dropped is paid another way by no call that began before', async () => {
  const [store, here] = [await storeOf(recordOf([])), 'https://here.example/'];
  const now = (): number => Date.now() / 1000;
  const request = await requestOf(here, { headers: { 'idempotency-key': 'order-17' } }, false);
  const [mine, others] = [new Ways(processes(store), now), new Ways(processes(store), now)];
  const begins = async (ways: Ways): Promise<Call> => (await ways.begin(request, 'a call')) ?? assert.fail('it has a key');
  const [slow, quick] = [await begins(mine), await begins(others)];
  await others.leaves(quick, 'a channel', undefined);
  for (let at = 0; at < 257; at += 1) await update(store, (record) => withSent(record, rowAt(here, `here ${at}`, false)));
  const pays = (): Promise<Response> => assert.fail('it is paid');
  for (const leaves of [
    () => mine.begins(slow, 'another channel'),
    () => mine.leaves(slow, 'another channel', undefined),
    () => mine.once(slow, pays),
  ])
    await assert.rejects(leaves(), { code: 'payment_unresolved' });
});
