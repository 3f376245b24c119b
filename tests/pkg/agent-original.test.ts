// Programs written for @402flow/sdk change their import only: its recorded answers to thousands of values, challenges and requests are
// those of `farebox/agent`. What is meant to be otherwise is in docs/agent.md.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as sdk from '../../pkg/dist/agent/index.js';
import { allCases, detectedBy, PARTS, preparedBy, readBy } from './original/answers.ts';

type Recorded = {
  readonly cases: string;
  readonly schemas: Readonly<Record<string, string>>;
  readonly detected: string;
  readonly prepared: readonly string[];
};
const recorded = JSON.parse(readFileSync(new URL('../vectors/agent/original.json', import.meta.url), 'utf8')) as Recorded;
const cases = allCases();

test('the answers were recorded for these cases', () => {
  assert.equal(cases.digest, recorded.cases);
  assert.ok(cases.challenges.length >= 4_000 && cases.schemas.length >= 40_000, `${cases.challenges.length} ${cases.schemas.length}`);
});

/** Tokens have up to 18 decimals; the original's schemas know six. */
const FINER = ['sdkPreparedPaymentRequirementSchema', 'sdkPreparedPaidRequestReadySchema', 'sdkPreparedPaidRequestSchema'];

test('every schema reads and refuses what the original does, except for tokens with more decimals', () => {
  const answers = new Map(Object.entries(recorded.schemas).map(([schema, all]) => [schema, all.split(' ')]));
  const places = new Map<string, number>();
  const differ: string[] = [];
  for (const given of cases.schemas) {
    const { schema, value } = given;
    const at = places.get(schema) ?? 0;
    places.set(schema, at + 1);
    if (readBy(sdk, given) === answers.get(schema)?.[at]) continue;
    const { precision, paymentRequirement } = value as { precision?: number; paymentRequirement?: { precision?: number } };
    const isFiner = FINER.includes(schema) && (precision ?? paymentRequirement?.precision ?? 0) > 6;
    if (!isFiner) differ.push(`${schema} ${JSON.stringify(value)}`);
  }
  assert.deepEqual(differ, []);
  assert.deepEqual(
    [...places.keys()].sort(),
    Object.keys(sdk)
      .filter((name) => name.endsWith('Schema'))
      .sort(),
  );
});

test('the same challenges are detected, with the same headers and body', async () => {
  const answers = recorded.detected.split(' ');
  assert.equal(answers.length, cases.challenges.length);
  const differ: string[] = [];
  for (const [at, given] of cases.challenges.entries())
    if ((await detectedBy(sdk, given)) !== answers[at]) differ.push(JSON.stringify(given));
  assert.deepEqual(differ, []);
});

test('prepared requests have the same price, details, hints, issues and next action', async () => {
  assert.equal(recorded.prepared.length, cases.prepared.length);
  const differ: string[] = [];
  for (const [at, given] of cases.prepared.entries()) {
    const [ours, theirs] = [(await preparedBy(sdk, given)).split(' '), recorded.prepared[at]?.split(' ')];
    const parts = PARTS.filter((_, part) => ours[part] !== theirs?.[part]);
    if (parts.length > 0) differ.push(`${parts.join(', ')}: ${JSON.stringify(given)}`);
  }
  assert.deepEqual(differ, []);
});
