// The tour of the demo: plays each scene, then shows in a table what each one caused, counted at the
// origin, the facilitator and the chain. It fails if a scene caused anything else.

import { SCENES } from './scenes.mjs';
import { ends, usdc } from './show.mjs';

/**
 * @typedef {object} Parts
 * @property {import('./chain.mjs').Chain} chain
 * @property {import('./facilitator.mjs').Facilitator} facilitator
 * @property {import('./origin.mjs').Origin} origin
 * @property {{url: string}} gate
 * @property {string} token the operator's
 */

/**
 * Runs the tour and returns the failed expectations, as sentences.
 *
 * @param {Parts} parts
 * @param {{headers?: boolean}} [options]
 * @returns {Promise<string[]>}
 */
export async function tour({ chain, facilitator, origin, gate, token }, { headers = false } = {}) {
  const { payer, payee } = chain.accounts;
  /** @type {string[]} */
  const broken = [];
  /** @type {(holds: boolean, sentence: string) => void} */
  const check = (holds, sentence) => {
    console.log(`   ${holds ? '✓' : '✗'} ${sentence}`);
    if (!holds) broken.push(sentence);
  };
  let requests = 0;
  /** @type {typeof fetch} */
  const counting = (input, init) => {
    requests += 1;
    return fetch(input, init);
  };
  const stage = { chain, facilitator, origin, gate: gate.url, token, headers, fetch: counting, check, seen: {} };
  const counts = async () => ({
    requests,
    origin: origin.requests.length,
    settled: facilitator.counts.settle,
    held: await chain.balanceOf(payer.address),
  });

  const start = { payer: await chain.balanceOf(payer.address), payee: await chain.balanceOf(payee.address) };
  console.log(
    `\nAll of this runs on this machine, also the chain, which plays Base Sepolia: no money of anyone's moves.\nThe payer, ${ends(payer.address)}, has ${usdc(start.payer)}; the payee, ${ends(payee.address)}, has ${usdc(start.payee)}.`,
  );

  /** @type {string[][]} */
  const rows = [];
  for (const [index, { title, short, play, causes }] of SCENES.entries()) {
    console.log(`\n${index + 1}. ${title}`);
    const before = await counts();
    await play(stage);
    const after = await counts();
    const caused = { origin: after.origin - before.origin, settled: after.settled - before.settled, charged: before.held - after.held };
    rows.push([
      `${index + 1}. ${short}`,
      String(after.requests - before.requests),
      String(caused.origin),
      String(caused.settled),
      usdc(caused.charged),
    ]);
    const asExpected = caused.origin === causes.origin && caused.settled === causes.settled && caused.charged === causes.charged;
    if (!asExpected) check(false, `caused ${causes.origin} × origin, ${causes.settled} × settle, ${usdc(causes.charged)}`);
  }

  console.log('');
  for (const row of [['scene', 'requests', 'origin asked', 'settled', 'charged'], ...rows]) console.log(columns(row));
  const end = { payer: await chain.balanceOf(payer.address), payee: await chain.balanceOf(payee.address) };
  console.log('');
  const spent = SCENES.reduce((sum, { causes }) => sum + causes.charged, 0n);
  check(
    start.payer - end.payer === spent && end.payee - start.payee === spent,
    `four reports were sold: the payer has ${usdc(end.payer)}, the payee ${usdc(end.payee)}`,
  );
  return broken;
}

/** @param {string[]} cells */
function columns([first = '', ...others]) {
  return `   ${first.padEnd(32)}${others.map((cell) => cell.padStart(13)).join('')}`;
}
