// Plays seeded histories of payments through the gate, its ledger and a chain, with faults on every call.
//
//   node scripts/simulate.mjs [count] [seed]
//   node scripts/simulate.mjs --shards N [--payers N]
//
// A failure prints the seed that gives the same history again: `node scripts/simulate.mjs 1 <seed>`. With `--shards` it says how
// payers spread over that many ledger objects, as docs/scale.md does.

import { spawn } from 'node:child_process';
import process from 'node:process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { shards: { type: 'string' }, payers: { type: 'string' } } });
const { shards, payers = '100000' } = values;
const [count = '10000', seed = '0'] = positionals;
for (const number of [count, seed, payers, ...(shards === undefined ? [] : [shards])]) {
  if (!/^[0-9]{1,15}$/.test(number) || (number === shards && !(Number(number) >= 1 && Number(number) <= 4096))) {
    console.error(`usage: node scripts/simulate.mjs [count] [seed] | --shards 1…4096 [--payers N]; ${number} is none`);
    process.exit(2);
  }
}
const [name, env] =
  shards === undefined
    ? ['ledger::random::no_seeded_history_breaks_a_rule', { FAREBOX_HISTORIES: count, FAREBOX_SEED: seed }]
    : ['shards::no_object_has_much_more_than_its_share_beside_its_greatest_payer', { FAREBOX_SHARDS: shards, FAREBOX_PAYERS: payers }];
const child = spawn('cargo', ['test', '--locked', '-p', 'farebox', '--test', 'behaviour', '--', '--exact', name, '--nocapture'], {
  stdio: 'inherit',
  env: { ...process.env, ...env },
});
child.on('exit', (code) => process.exit(code ?? 1));
