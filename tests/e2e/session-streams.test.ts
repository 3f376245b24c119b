// Streams by session of MPP on a chain: by the second, byte and event; pauses that go on with the next voucher; and both sides,
// and the gate, breaking off. What was charged is what the payee gets, and at most a step of it was not delivered.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { toHex } from 'viem';

import { account, type Chain, PAYEE, PAYMENT_CHANNEL, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { OkxPayer } from './okx-payer.ts';
import { BLOB, BYTES, readWithStall, type Streams, startStreams } from './stream-origin.ts';

/** Of a second and an event, in atomic units; a byte costs one. */
const UNIT = 100n;
const STEP = 3n;
const BYTE_STEP = 16_384n;
const DEPOSIT = 1_000_000n;

let [chain, facilitator, gate]: [Chain, Facilitator, Gate] = [] as never;
const ends: { stop(): unknown }[] = [];
function keep<T extends { stop(): unknown }>(part: T): T {
  ends.unshift(part);
  return part;
}

let origin: Streams;
let salts = 0;

const storage = mkdtempSync(join(tmpdir(), 'farebox-streams-'));

before(async () => {
  chain = keep(await startChain());
  origin = keep(await startStreams());
  facilitator = keep(await startFacilitator({ chain }));
  const vars = gateVars({ chain, facilitator, origin });
  const sold = (path: string, session_unit: string, price: string, session_step: number) => ({
    path,
    methods: ['GET', 'POST'],
    price: '$0.01',
    session_escrow: PAYMENT_CHANNEL,
    session_unit,
    session_unit_price: price,
    session_step,
    session_pause_secs: 3,
  });
  gate = keep(
    await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      persist: storage,
      vars: {
        ...vars,
        RPC_URL: chain.url,
        ROUTES: [
          sold('/seconds', 'second', '$0.0001', 1),
          sold('/flood', 'second', '$0.0001', 1),
          sold('/quiet', 'second', '$0.0001', 1),
          { ...sold('/feed', 'second', '$0.0001', 1), session_pause_secs: 60 },
          sold('/bytes', 'byte', '$0.000001', Number(BYTE_STEP)),
          sold('/packed', 'byte', '$0.000001', Number(BYTE_STEP)),
          sold('/events', 'event', '$0.0001', Number(STEP)),
          sold('/held', 'event', '$0.0001', Number(STEP)),
          { ...sold('/many', 'event', '$0.0001', Number(STEP)), session_pause_secs: 60 },
        ],
      },
      secrets: { PAYEE_KEY: account(PAYEE).privateKey },
    }),
  );
});
after(async () => {
  for (const part of ends) await part.stop();
  rmSync(storage, { recursive: true, force: true });
});

const payee = () => chain.balanceOf(chain.accounts.payee.address);

/** Opens a channel of this account at this path, and says how its money adds up once it is closed. */
async function opened(index: number, path: string) {
  const payer = chain.accounts.payers[index];
  assert.ok(payer);
  const session = new OkxPayer(chain, payer, `${gate.url}${path}`);
  const [funds, earlier] = [await chain.balanceOf(payer.address), await payee()];
  salts += 1;
  assert.equal((await session.open(DEPOSIT, toHex(salts, { size: 32 }))).status, 200);
  return {
    session,
    /** Closes with the highest voucher: the payee has all of it, the payer the rest. */
    async adds(voucher: bigint) {
      const answer = await session.close();
      assert.equal(answer.status, 200, answer.body);
      for (let waits = 0; waits < 300 && (await payee()) !== earlier + voucher; waits += 1)
        await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(await payee(), earlier + voucher);
      assert.equal(await chain.balanceOf(payer.address), funds - voucher);
    },
  };
}

interface Event {
  name: string;
  data: string;
}
/** The events of an answer, as they come. */
async function* events(answer: Response): AsyncGenerator<Event> {
  assert.ok(answer.body);
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(bytes, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = [...block.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line).join('\n');
      if (data !== '') yield { name: /^event: (.*)$/m.exec(block)?.[1] ?? 'message', data };
    }
  }
}

/** Reads events until the body ends or breaks off. */
async function readAll(answer: Response, take: (name: string) => unknown): Promise<void> {
  try {
    for await (const { name } of events(answer)) await take(name);
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
  }
}

test('an answer by the second goes on with each voucher, and ends with a receipt when none comes', async () => {
  const { session, adds } = await opened(0, '/seconds');
  const answer = await session.begin(UNIT);
  assert.deepEqual([answer.status, answer.headers.get('cache-control')], [200, 'private, no-store, no-transform']);
  assert.notEqual(answer.headers.get('payment-receipt'), null);
  const [begun, spells] = [Date.now(), [] as number[]];
  let [asked, messages, woken] = [0, 0, 0];
  let receipt: { spent: string } | undefined;
  for await (const { name, data } of events(answer)) {
    if (name === 'payment-receipt') receipt = JSON.parse(data) as { spent: string };
    if (name === 'message') {
      messages += 1;
      if (woken !== 0) spells.push(Date.now() - woken);
      woken = 0;
    }
    if (name !== 'payment-need-voucher') continue;
    asked += 1;
    const need = JSON.parse(data) as Record<string, string>;
    const accepted = UNIT * BigInt(asked);
    assert.deepEqual(need, {
      channelId: session.id,
      requiredCumulative: String(accepted + UNIT),
      acceptedCumulative: String(accepted),
      deposit: String(DEPOSIT),
    });
    if (asked > 3) continue;
    await session.raise(accepted + UNIT);
    woken = Date.now();
  }
  // Four seconds were paid, and flowed; after the fourth it waited three seconds.
  assert.deepEqual([asked, receipt?.spent], [4, String(4n * UNIT)]);
  assert.ok(Date.now() - begun >= 6_500 && messages >= 20, `${Date.now() - begun} ms, ${messages} events`);
  assert.ok(spells.length === 3 && spells.every((spell) => spell < 500), `woken after ${spells.join(', ')} ms`);
  await adds(4n * UNIT);
});

test('who pays late for seconds pays for those that passed meanwhile', async () => {
  const { session, adds } = await opened(0, '/seconds');
  const answer = await session.begin(UNIT);
  const come = events(answer);
  const next = async () => String((await come.next()).value?.name);
  const until = async (name: string) => {
    for (let came = await next(); came !== name; came = await next()) assert.notEqual(came, 'undefined', 'it has ended');
  };
  await until('payment-need-voucher');
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  await session.raise(2n * UNIT);
  assert.equal(await next(), 'payment-need-voucher', 'the second that was paid is over');
  await session.raise(5n * UNIT);
  assert.equal(await next(), 'message');
  await until('payment-need-voucher');
  await come.return(undefined);
  await adds(5n * UNIT);
});

test('seconds in which the origin is silent cost nothing beyond the one that was paid', async () => {
  const { session, adds } = await opened(6, '/quiet');
  const answer = await session.begin(UNIT * 60n);
  const come = events(answer);
  // Each event begins a second.
  for (let event = 0; event < 3; event += 1) assert.equal((await come.next()).value?.name, 'message');
  assert.equal(await session.raise(UNIT * 60n), UNIT * 3n);
  await come.return(undefined);
  await adds(UNIT * 60n);
});

//
test('who stops reading for a while pays for the seconds of what comes meanwhile', async () => {
  const { session, adds } = await opened(3, '/feed');
  const answer = await session.begin(UNIT * 60n);
  const seconds = await readWithStall(answer);
  const spent = await session.raise(UNIT * 60n);
  assert.ok(Number(spent / UNIT) > seconds - 3, `${spent / UNIT} of ${seconds} seconds`);
  await answer.body?.cancel();
  await adds(UNIT * 60n);
});

test('what the origin has compressed comes as it is counted', async () => {
  const { session, adds } = await opened(1, '/packed');
  const part = BYTE_STEP;
  const answer = await session.begin(part);
  assert.deepEqual([answer.status, answer.headers.get('content-encoding'), answer.headers.get('content-length')], [200, null, null]);
  assert.ok(answer.body);
  const reader = answer.body.getReader();
  let got = 0;
  while (got < Number(part)) {
    const { value } = await reader.read();
    assert.ok(value);
    got += value.length;
  }
  assert.equal(got, Number(part));
  await reader.cancel();
  await adds(part);
});

test('bytes stop without a voucher, and are all there in the end', async () => {
  const { session, adds } = await opened(1, '/bytes');
  const part = 5n * BYTE_STEP;
  const answer = await session.begin(part);
  assert.ok(answer.body);
  const reader = answer.body.getReader();
  const hash = createHash('sha256');
  let got = 0;
  const read = async (until: number) => {
    while (got < until) {
      const { value, done } = await reader.read();
      if (done) return false;
      hash.update(value);
      got += value.length;
    }
    return true;
  };
  assert.equal(await read(Number(part)), true);
  // It is a pause, and no end.
  const more = reader.read();
  const pause = await Promise.race([more, new Promise((resolve) => setTimeout(resolve, 500, 'waits'))]);
  assert.deepEqual([pause, got], ['waits', Number(part)]);
  await session.raise(DEPOSIT);
  const { value } = await more;
  assert.ok(value);
  hash.update(value);
  got += value.length;
  await read(BYTES + 1);
  assert.deepEqual([got, hash.digest('hex')], [BYTES, createHash('sha256').update(BLOB).digest('hex')]);
  // Whole steps are charged.
  const spent = await session.raise(DEPOSIT);
  assert.equal(spent, ((BigInt(BYTES) + BYTE_STEP - 1n) / BYTE_STEP) * BYTE_STEP);
  await adds(DEPOSIT);
});

test('bytes that are not paid on break off', async () => {
  const { session, adds } = await opened(2, '/bytes');
  const answer = await session.begin(BYTE_STEP);
  // The local runtime ends a body that breaks off like another one.
  const got = await answer.arrayBuffer().then(
    ({ byteLength }) => byteLength,
    () => 0,
  );
  assert.ok(BigInt(got) <= BYTE_STEP, `${got}`);
  assert.equal(await session.raise(BYTE_STEP), BYTE_STEP);
  await adds(BYTE_STEP);
});

test('an event costs a unit, comments nothing, and events stay whole', async () => {
  const { session, adds } = await opened(3, '/events');
  const answer = await session.begin(UNIT * 4n);
  const [messages, others] = [[] as string[], [] as string[]];
  for await (const { name, data } of events(answer)) {
    if (name === 'message') messages.push(data);
    else others.push(name);
    if (name === 'payment-need-voucher') await session.raise(BigInt((JSON.parse(data) as Record<string, string>).requiredCumulative ?? ''));
  }
  assert.deepEqual(
    messages,
    Array.from({ length: 12 }, (_, at) => `event ${at + 1}\nof 12`),
  );
  assert.deepEqual(others, ['payment-need-voucher', 'payment-need-voucher', 'payment-need-voucher', 'payment-receipt']);
  await adds(UNIT * 12n);
});

test('the origin is asked for a step, and who brings less is told what it is', async () => {
  const { session, adds } = await opened(3, '/events');
  const { asked } = origin.sent;
  const refused = await session.begin(UNIT);
  const { code, requiredCumulative } = (await refused.json()) as { code: number; requiredCumulative: string };
  assert.deepEqual([refused.status, code, requiredCumulative], [402, 70013, String(UNIT * STEP)]);
  assert.equal(origin.sent.asked, asked);
  const answer = await session.begin(BigInt(requiredCumulative));
  assert.equal(answer.status, 200);
  await answer.body?.cancel();
  await adds(UNIT * STEP);
});

//
test('two answers at once share one voucher, and what both got is charged', async () => {
  const { session, adds } = await opened(4, '/events');
  const answers = [await session.begin(UNIT * 15n), await session.begin(UNIT * 15n)];
  const got = await Promise.all(
    answers.map(async (answer) => {
      let [messages, end] = [0, ''];
      for await (const { name } of events(answer)) {
        if (name === 'message') messages += 1;
        end = name;
      }
      return { messages, end };
    }),
  );
  const delivered = got.reduce((sum, { messages }) => sum + messages, 0);
  // Five steps are in fifteen, and no answer has more than four.
  assert.deepEqual([delivered, got.map(({ end }) => end)], [15, ['payment-receipt', 'payment-receipt']]);
  assert.equal(await session.raise(UNIT * 15n), UNIT * 15n);
  await adds(UNIT * 15n);
});

test('sixteen answers of one channel wait at once, and one more ends', async () => {
  const { session, adds } = await opened(2, '/many');
  const answers: Response[] = [];
  for (let paid = 1n; paid <= 17n; paid += 1n) answers.push(await session.begin(UNIT * STEP * paid));
  const ended: number[] = [];
  const read = answers.map(async (answer, index) => {
    await readAll(answer, () => undefined);
    ended.push(index);
  });
  await Promise.race(read);
  assert.equal(ended.length, 1);
  await session.raise(UNIT * STEP * 18n);
  await adds(UNIT * STEP * 18n);
  await Promise.all(read);
  assert.equal(ended.length, 17);
});

test('a reader who takes nothing holds no answer open, and is charged no more', async () => {
  const { session, adds } = await opened(4, '/flood');
  const closed = origin.sent.closed;
  const answer = await session.begin(UNIT * 60n);
  assert.equal(answer.status, 200);
  // What buffers hold flows; then nothing is taken for three seconds.
  for (let waits = 0; waits < 150 && origin.sent.closed === closed; waits += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(origin.sent.closed, closed + 1, 'the origin is told');
  const spent = await session.raise(UNIT * 60n);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(await session.raise(UNIT * 60n), spent);
  await answer.body?.cancel().catch(() => undefined);
  await adds(UNIT * 60n);
});

test('who leaves has paid at most a step for what did not come', async () => {
  const { session, adds } = await opened(5, '/seconds');
  const leaving = new AbortController();
  const answer = await session.begin(UNIT * 50n, { signal: leaving.signal });
  const [begun, closed] = [Date.now(), origin.sent.closed];
  await assert.rejects(async () => {
    for await (const event of events(answer)) if (event.name === 'message' && Date.now() - begun > 2_200) leaving.abort();
  });
  for (let waits = 0; waits < 50 && origin.sent.closed === closed; waits += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(origin.sent.closed, closed + 1, 'the origin is told');
  const spent = await session.raise(UNIT * 50n);
  assert.ok(spent >= 3n * UNIT && spent <= 4n * UNIT, `${spent}`);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(await session.raise(UNIT * 50n), spent, 'it is charged no more');
  await adds(UNIT * 50n);
});

test('an origin that breaks off ends the answer without a receipt', async () => {
  const { session, adds } = await opened(6, '/held');
  const answer = await session.begin(UNIT * 50n);
  const seen: string[] = [];
  await readAll(answer, (name) => {
    seen.push(name);
    if (seen.length === 12) origin.cut();
  });
  assert.deepEqual(new Set(seen), new Set(['message']));
  assert.equal(await session.raise(UNIT * 50n), UNIT * 12n);
  await adds(UNIT * 50n);
});

test('a gate that is killed while an answer flows has charged what it delivered', async () => {
  const { session, adds } = await opened(7, '/held');
  const answer = await session.begin(UNIT * 20n);
  let delivered = 0n;
  await readAll(answer, async () => {
    delivered += 1n;
    if (delivered === 12n) await gate.kill();
  });
  await gate.restart();
  const spent = await session.raise(UNIT * 20n);
  assert.ok(spent >= delivered * UNIT && spent - delivered * UNIT <= STEP * UNIT, `${delivered} delivered, ${spent} charged`);
  const again = await session.begin(UNIT * 20n);
  assert.equal(again.status, 200);
  await again.body?.cancel();
  await adds(UNIT * 20n);
});
