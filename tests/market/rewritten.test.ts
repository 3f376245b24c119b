// While sellers publish and the gate's route table is rewritten, what the gate answers about other paths stays as it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { plainSkill, startSkillsWorld, untilSold } from './market.ts';

const LIMIT = { timeout: 120_000 };
const REQUESTS = 50;
const SKILLS = 10;

const world = sharedWorld(() =>
  startSkillsWorld({
    vars: {
      OWN_ROUTES: JSON.stringify([
        { path: '/api/marketplace/*', price: 'free' },
        { path: '/own', price: '$0.01' },
      ]),
    },
  }),
);

/** What does not change from one 402 to the next: what is asked for, by whom, for what. */
const asked = async (path: string): Promise<unknown> => {
  const { status, headers } = await world.ask('GET', path);
  const { accepts } = JSON.parse(Buffer.from(headers.get('payment-required') ?? assert.fail(path), 'base64').toString('utf8'));
  return [status, accepts];
};

test(
  'fifty requests for a route of the operator and a skill that was there get the same answers while ten skills are published',
  LIMIT,
  async () => {
    const { id } = await plainSkill(world, 'deliver', { method: 'GET' });
    await eventually(
      'it is sold',
      () => world.ask('GET', `/s/${id}`),
      ({ status }) => status === 402,
    );
    const paths = ['/own', `/s/${id}`];
    const first = await Promise.all(paths.map(asked));
    const puts = world.kv.counts.puts;
    let left = SKILLS;
    const published = Promise.all(
      Array.from({ length: SKILLS }, async () => {
        const skill = await plainSkill(world, 'deliver');
        await untilSold(world, skill.id);
        left -= 1;
      }),
    );
    const answers: unknown[] = [];
    while (left > 0 || answers.length < REQUESTS) answers.push(await Promise.all(paths.map(asked)));
    await published;
    answers.push(await Promise.all(paths.map(asked)));
    assert.deepEqual(
      answers,
      answers.map(() => first),
    );
    assert.ok(world.kv.counts.puts > puts);
  },
);
