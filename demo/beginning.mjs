// How worlds begin: anew, with random keys on free ports; or where a recorded one stood, with its keys and ports, on its chain and its storage.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * @typedef {object} Beginning
 * @property {string} seed all keys and tokens that a world draws while it starts follow from it
 * @property {number} firstPort its servers listen on this port and those behind it
 * @property {string} folder where its Workers store; it stays
 * @property {string} [chain] the state that `anvil_dumpState` gave
 * @property {Record<string, string>} [kv] values of its KV namespace
 * @property {number} [aheadMs] by how much the clocks of its Workers differ from the machine's
 */

/** @type {(Beginning & {draws: number, ports: number}) | undefined} */
let known;

/**
 * Lets the worlds that are started from now on begin there; without a beginning, anew.
 *
 * @param {Beginning} [beginning]
 */
export function beginAt(beginning) {
  known = beginning && { ...beginning, draws: 0, ports: 0 };
}

/**
 * Hexadecimal digits that nobody else knows.
 *
 * @param {number} bytes at most 32
 */
export function drawToken(bytes) {
  if (known === undefined) return randomBytes(bytes).toString('hex');
  known.draws += 1;
  return createHash('sha256')
    .update(`${known.seed} ${known.draws}`)
    .digest('hex')
    .slice(0, 2 * bytes);
}

/** A private key. */
export const drawKey = () => /** @type {`0x${string}`} */ (`0x${drawToken(32)}`);

/** A port to listen on; zero is any free one. */
export function drawPort() {
  if (known === undefined) return 0;
  known.ports += 1;
  return known.firstPort + known.ports - 1;
}

/**
 * A folder for the storage of Workers; a new one goes with the world.
 *
 * @param {string} name
 */
export function storage(name) {
  if (known !== undefined) return { folder: known.folder, stop: async () => {} };
  const folder = mkdtempSync(join(tmpdir(), `farebox-${name}-`));
  return { folder, stop: async () => rmSync(folder, { recursive: true, force: true }) };
}

/** The state of the chain, if it was recorded. */
export const chainState = () => known?.chain;

/** By how much the clocks of Workers differ from the machine's, milliseconds. */
export const clockAhead = () => known?.aheadMs ?? 0;

/** Values of the KV namespace. */
export const kvValues = () => Object.entries(known?.kv ?? {});
