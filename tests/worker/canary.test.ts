/** Secrets that were put in are looked for in all that comes out: log lines, errors, answers, the origin's requests. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';

import { freshPayer, type Payment } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import { eventually, MODES, openWorld, payFor, send, type World } from './support/world.ts';

const canary = (name: string): string => `canary-${name}-${randomBytes(20).toString('hex')}`;
const secrets = {
  GATE_SECRET: canary('gate'),
  LEDGER_SALT: canary('salt'),
  OPERATOR_TOKEN: canary('operator'),
  ORIGIN_SECRET: canary('origin'),
  FACILITATOR_TOKEN: canary('bearer'),
};
const client = {
  query: canary('query'),
  authorization: canary('authorization'),
  cookie: canary('cookie'),
  key: canary('key'),
  body: canary('body'),
};

describe('canaries', () => {
  // I-14
  it('no secret, payment or query appears in a log line, an error or an answer', async () => {
    const world = await openWorld({ secrets });
    const authorized = [{ url: world.facilitator.url, auth: { bearer: 'FACILITATOR_TOKEN' } }];
    await world.gate.stop();
    const gated = await openWorld({ secrets, vars: { FACILITATOR_URL: authorized, ORIGIN_URL: world.origin.url } });
    try {
      const shown: Answer[] = [];
      const payments: Payment[] = [];
      for (const mode of MODES) await mixture({ ...gated, facilitator: world.facilitator, origin: world.origin }, mode, shown, payments);
      await eventually('the log speaks', () => gated.gate.printed.includes('canary-run-before-0'));
      const settled = world.facilitator.of('settle');
      assert.ok(settled.length > 0);
      for (const call of settled) assert.equal(call.headers['authorization'], `Bearer ${secrets.FACILITATOR_TOKEN}`);

      const inLogs = gated.gate.printed;
      const inAnswers = written(shown);
      const atOrigin = world.origin.calls.map((call) => JSON.stringify([call.target, call.rows])).join('\n');
      const kept = Object.entries(secrets).flatMap(([name, value]) => forms(name, value));
      const paid = payments.flatMap((payment) => [
        ...forms('signature', payment.signature.slice(2)),
        ...forms('signature in capitals', payment.signature.slice(2).toUpperCase()),
        ['payment header', payment.row[1].slice(0, 200)] as const,
      ]);
      const said = Object.entries(client).flatMap(([name, value]) => forms(name, value));
      nothingOf([...kept, ...paid, ...said], inLogs, 'log');
      nothingOf([...kept, ...paid, ...said.filter(([name]) => !name.startsWith('query'))], inAnswers, 'answers');
      nothingOf([...kept, ...paid], atOrigin, 'origin');
      const problems = shown.filter((answer) => (answer.headers['content-type'] ?? '').startsWith('application/problem'));
      assert.ok(problems.length > 10);
      nothingOf(said, problems.map((answer) => answer.text).join('\n'), 'problems');
      for (const text of [inAnswers, inLogs]) assert.doesNotMatch(text, /panicked at|RuntimeError|wasm-function|\.rs:\d+/);
      assert.ok(!inAnswers.includes(new URL(world.origin.url).host), 'answers do not name the origin');
      // Health names it for the operator.
      const toPayers = shown.filter((answer) => !answer.text.includes('"networks_missing"'));
      assert.equal(toPayers.length, shown.length - MODES.length);
      assert.ok(!written(toPayers).includes(new URL(world.facilitator.url).host), 'answers to payers do not name the facilitator');
    } finally {
      await gated.stop();
      await Promise.all([world.facilitator.stop(), world.origin.stop()]);
    }
  });

  //
  it('a gate that is not configured shows none of what it was given', async () => {
    const { LEDGER_SALT: _, ...rest } = secrets;
    const world = await openWorld({ secrets: { ...rest, GATE_SECRET: 'canary-short' }, without: ['LEDGER_SALT'] });
    try {
      const answers = await Promise.all(
        ['/after/x', '/', '/_farebox/health', '/_farebox/payments'].map((path) => world.gate.raw('GET', path)),
      );
      const text = `${world.gate.printed}\n${answers.map((answer) => answer.text + JSON.stringify(answer.rawHeaders)).join('\n')}`;
      nothingOf(Object.entries({ ...rest, GATE_SECRET: 'canary-short' }), text, 'log and answers');
    } finally {
      await world.stop();
    }
  });
});

async function mixture(world: World, mode: string, shown: Answer[], payments: Payment[]): Promise<void> {
  let run = 0;
  const ask = async (path: string, payment: Payment | undefined, headers: readonly HeaderRow[] = []): Promise<void> => {
    const common: HeaderRow[] = [
      ['Authorization', `Bearer ${client.authorization}`],
      ['Cookie', `session=${client.cookie}`],
      ['Idempotency-Key', client.key],
      ['x-correlation-id', `canary-run-${mode}-${run++}`],
    ];
    shown.push(
      await send(world, `${path}?token=${client.query}`, payment, { method: 'POST', headers: [...common, ...headers], body: client.body }),
    );
  };
  const made = async (path: string, options: Parameters<typeof payFor>[2] = {}): Promise<Payment> => {
    const payment = await payFor(world, `${path}?token=${client.query}`, { ...options, method: 'POST' });
    payments.push(payment);
    return payment;
  };

  await ask(`/${mode}/good`, undefined);
  const good = await made(`/${mode}/good`);
  await ask(`/${mode}/good`, good);
  await ask(`/${mode}/good`, good);
  await ask(`/${mode}/elsewhere`, good);
  await ask(`/free-${mode}`, undefined);
  await ask(`/free-${mode}`, await made(`/${mode}/good`));
  await ask(`/${mode}/v1`, await made(`/${mode}/v1`, { version: 1 }));
  await ask(
    `/${mode}/forged`,
    await made(`/${mode}/forged`, { tamper: (p) => void ((p['payload'] as { signature: string }).signature = `0x${'1'.repeat(130)}`) }),
  );
  await ask(`/${mode}/expired`, await made(`/${mode}/expired`, { validForSecs: -5 }));
  await ask(`/${mode}/malformed`, undefined, [['PAYMENT-SIGNATURE', Buffer.from(`{"${client.body}":`).toString('base64')]]);
  await ask(`/${mode}/malformed`, undefined, [['PAYMENT-SIGNATURE', `***${client.body}`]]);
  await ask(`/${mode}/two`, await made(`/${mode}/two`), [(await made(`/${mode}/two`)).row]);
  await ask(`/${mode}/%2e%2e/x`, await made(`/${mode}/x`));
  const script = async (path: string, settle: Parameters<typeof world.facilitator.script>[1]): Promise<void> => {
    const payment = await made(path, { payer: freshPayer() });
    world.facilitator.script(payment.payer, settle);
    await ask(path, payment);
    await ask(path, payment);
  };
  await script(`/${mode}/unknown`, { settle: { kind: 'destroy' } });
  await script(`/${mode}/garbage`, {
    settle: { kind: 'raw', status: 200, headers: { 'Content-Type': 'application/json' }, body: '{"success":' },
  });
  await script(`/${mode}/refused`, {
    settle: { kind: 'json', body: { success: false, errorReason: 'insufficient_funds', transaction: '', network: 'eip155:84532' } },
  });
  await script(`/${mode}/verify`, { verify: { kind: 'json', status: 500, body: { error: 'x' } } });
  world.origin.script(`/${mode}/origin-fails`, { then: 'reset' });
  await script(`/${mode}/origin-fails`, {});
  await ask('/_farebox/payments', undefined, [['Authorization', 'Bearer wrong']]);
  shown.push(await world.gate.raw('GET', '/_farebox/health'));
}

function written(answers: readonly Answer[]): string {
  return answers
    .map((answer) => `${answer.rawHeaders.map((row) => row.join(': ')).join('\n')}\n${opened(answer)}${answer.text}`)
    .join('\n');
}

/** Headers that hide text in base64, opened. */
function opened(answer: Answer): string {
  return ['payment-required', 'payment-response', 'x-payment-response']
    .map((name) => Buffer.from(answer.headers[name] ?? '', 'base64').toString('utf8'))
    .join('\n');
}

function forms(name: string, value: string): (readonly [string, string])[] {
  const bytes = Buffer.from(value);
  return [
    [name, value],
    [`${name} in base64`, bytes.toString('base64').replace(/=+$/, '').slice(0, -2)],
    [`${name} in hex`, bytes.toString('hex')],
  ];
}

function nothingOf(needles: readonly (readonly [string, string])[], text: string, where: string): void {
  const found = needles.filter(([, needle]) => text.includes(needle)).map(([name]) => name);
  assert.deepEqual([...new Set(found)], [], `found in ${where}`);
}
