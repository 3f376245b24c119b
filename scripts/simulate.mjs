// Plays seeded histories of payments through the gate, its ledger and a chain, with faults on every call.
//
//   node scripts/simulate.mjs [count] [seed]
//
// A failure prints the seed that gives the same history again: `node scripts/simulate.mjs 1 <seed>`.

import { spawn } from 'node:child_process';
import process from 'node:process';

const [count = '10000', seed = '0'] = process.argv.slice(2);
for (const number of [count, seed]) {
  if (!/^[0-9]{1,15}$/.test(number)) {
    console.error(`usage: node scripts/simulate.mjs [count] [seed]; ${number} is not a number`);
    process.exit(2);
  }
}
const name = 'ledger::random::no_seeded_history_breaks_a_rule';
const child = spawn('cargo', ['test', '--locked', '-p', 'farebox', '--test', 'behaviour', '--', '--exact', name, '--nocapture'], {
  stdio: 'inherit',
  env: { ...process.env, FAREBOX_HISTORIES: count, FAREBOX_SEED: seed },
});
child.on('exit', (code) => process.exit(code ?? 1));
