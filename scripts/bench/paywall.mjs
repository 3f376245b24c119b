// The page of `@x402/paywall`, made by its own builder. The package is no dependency: it would bring the wallet libraries of three
// chains, whose code its published files have in them already. So its tarball alone is fetched, and checked against a hash.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { root, StepFailed } from '../steps.mjs';

export const PAYWALL = '@x402/paywall';
export const PAYWALL_VERSION = '2.12.0';
/** What the registry says of that version: `npm view @x402/paywall@2.12.0 dist.integrity`. */
const INTEGRITY = 'sha512-CM+urOudWVKrmOpt0/KQx6ZUKSopMp2pujPSQsjMVNcFbJtlMzs36QQ1Usxj/2Iy61T66LN+YdT/4mJSZdCdqw==';
/** Ignored by Git, and below the root, so that the package finds the root's `viem`. */
const FOLDER = join(root, 'build', 'peers', `paywall-${PAYWALL_VERSION}`);

/**
 * The page for these terms.
 *
 * @param {string} header value of PAYMENT-REQUIRED
 * @returns {Promise<string>}
 */
export async function paywallPage(header) {
  fetchOnce();
  const at = (/** @type {string} */ file) => pathToFileURL(join(FOLDER, 'package', 'dist', 'esm', file)).href;
  const [{ createPaywall }, { evmPaywall }] = await Promise.all([import(at('index.js')), import(at('evm/index.js'))]);
  const required = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  return createPaywall().withNetwork(evmPaywall).withConfig({ appName: 'Bench', testnet: true }).build().generateHtml(required);
}

/** Fetches and unpacks the tarball, unless an earlier run has. */
function fetchOnce() {
  if (existsSync(FOLDER)) return;
  mkdirSync(dirname(FOLDER), { recursive: true });
  const draft = mkdtempSync(`${FOLDER}-`);
  try {
    const words = ['pack', `${PAYWALL}@${PAYWALL_VERSION}`, '--silent', '--pack-destination', draft];
    const tarball = join(draft, execFileSync('npm', words, { encoding: 'utf8' }).trim());
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (found !== INTEGRITY) throw new StepFailed(`${PAYWALL}@${PAYWALL_VERSION} is not what it was: ${found}`);
    execFileSync('tar', ['-xzf', tarball, '-C', draft]);
    rmSync(tarball);
    // Whole, or not there.
    renameSync(draft, FOLDER);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
