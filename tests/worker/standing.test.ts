/** Terms that the edge remembers: each answer is that of the whole gate, with an id and a challenge of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { encode } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import { eventually, expectFreshTerms, expectPaid, openWorld, payFor, send, type World } from './support/world.ts';

const OWN = new Set(['x-correlation-id', 'www-authenticate', 'date']);

/** The headers that every answer shares. */
function shared({ headers }: Answer): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !OWN.has(name))
      .sort(),
  );
}

const idOf = ({ headers }: Answer): string => headers['x-correlation-id'] ?? '';

/** The body without its ids. */
function rest({ text }: Answer): string {
  return text.replace(/"(challengeId|correlation_id)":"[^"]+"/g, '"$1":""');
}

describe('terms that are remembered', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.stop());

  it('are answered like the first time, each under an id and a challenge of its own, and are logged', async () => {
    const connection = await world.gate.connect();
    const target = '/after/standing?city=x';
    const answers: Answer[] = [];
    for (let turn = 0; turn < 5; turn += 1) answers.push(await connection.send({ method: 'GET', target }));
    const [first] = answers;
    assert.ok(first);
    for (const answer of answers) {
      expectFreshTerms(answer, 'payment_required');
      assert.deepEqual(shared(answer), shared(first));
      assert.equal(rest(answer), rest(first));
      assert.ok(answer.text.includes(idOf(answer)), 'the body has the id of its header');
    }
    for (const name of ['x-correlation-id', 'www-authenticate']) {
      assert.equal(new Set(answers.map(({ headers }) => headers[name])).size, answers.length, `each has its own ${name}`);
    }
    await eventually('each is logged', async () =>
      answers.every((answer) => world.gate.printed.includes(`"correlation_id":"${idOf(answer)}"`)),
    );
  });

  it('give way to the whole gate for a request that says more, and are paid like any other', async () => {
    const connection = await world.gate.connect();
    const target = '/after/standing';
    for (let turn = 0; turn < 3; turn += 1) expectFreshTerms(await connection.send({ method: 'GET', target }), 'payment_required');
    const named = await connection.send({ method: 'GET', target, headers: [['x-correlation-id', 'mine-00001']] });
    assert.equal(idOf(named), 'mine-00001');
    const junk = await connection.send({ method: 'GET', target, headers: [encode('{}')] });
    assert.notEqual(junk.status, 200);
    assert.doesNotMatch(junk.text, /"code":"payment_required"/);
    const payment = await payFor(world, target);
    expectPaid(await send(world, target, payment), payment);
  });
});
