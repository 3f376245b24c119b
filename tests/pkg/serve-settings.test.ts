// Variables of a gate on this machine: which of words, file and environment sets each, and what they may not set.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { variables } from '../../pkg/dist/serve/settings.js';

const place = mkdtempSync(join(tmpdir(), 'farebox-settings-'));
after(() => rmSync(place, { recursive: true, force: true }));

/** A file of `--config`. */
function fileOf(vars: object): string {
  const file = join(place, 'gate.json');
  writeFileSync(file, JSON.stringify(vars));
  return file;
}

const WORDS = { origin: 'http://x', price: ['/a=$1'], 'pay-to': '0x1' };

//
test('a word wins over a variable of the shell that is meant for another program', () => {
  const shell = { RPC_URL: 'https://other.example' };
  const config = fileOf({ RPC_URL: 'https://file.example' });
  for (const [words, environment, url] of [
    [{ rpc: 'https://word.example', config }, shell, 'https://word.example'],
    [{ config }, shell, 'https://other.example'],
    [{ config }, {}, 'https://file.example'],
  ] as const)
    assert.equal(variables({ ...WORDS, ...words }, {}, environment)['RPC_URL'], url);
});
