// Hidden characters are the same ones in the core, on the terminal and in pages.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { visible } from '../../pkg/src/visible.js';
import { root } from '../../scripts/steps.mjs';

/** The ranges that the core names, each with its first and last character. */
function hiddenRanges(): [number, number][] {
  const source = readFileSync(join(root, 'crates/base/src/text/hidden.rs'), 'utf8').split('\nhidden! {')[1]?.split('\n}')[0] ?? '';
  const point = String.raw`'(?:\\u\{([0-9a-f]+)\}|\\x([0-9a-f]+)|\\(0))'`;
  const found = [...source.matchAll(new RegExp(`${point}\\.\\.=${point}`, 'g'))];
  return found.map((parts) => [numberOf(parts.slice(1, 4)), numberOf(parts.slice(4, 7))]);
}

function numberOf(digits: readonly (string | undefined)[]): number {
  return Number.parseInt(digits.find((part) => part !== undefined) ?? '', 16);
}

// I-24
test('every character that the core calls hidden is shown by its number, and letters, emoji and spaces are not', () => {
  const ranges = hiddenRanges();
  assert.ok(ranges.length > 20, String(ranges.length));
  const missed = ranges
    .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, at) => first + at))
    .filter((point) => visible(String.fromCodePoint(point)) !== `‹U+${point.toString(16).toUpperCase().padStart(4, '0')}›`);
  assert.deepEqual(
    missed.map((point) => point.toString(16)),
    [],
  );
  const plain = 'Straße, 雨, مطر, 🌧, "a b" <b>';
  assert.equal(visible(plain), plain);
});
