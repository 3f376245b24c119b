// The page of a 402 in a browser, beside that of `@x402/paywall` for the same terms: when it is seen, when a person can go on, and what it loads.

import { existsSync, readFileSync } from 'node:fs';

import { Miniflare } from 'miniflare';

import { startWatched } from '../children.mjs';
import { staticFiles } from '../miniflare.mjs';
import { PAGES } from '../pages.mjs';
import { onEnd } from '../processes.mjs';
import { StepFailed } from '../steps.mjs';
import { PAYWALL, PAYWALL_VERSION, paywallPage } from './paywall.mjs';
import { compared, expect, playRounds } from './rounds.mjs';
import { COMPATIBILITY, gateOptions } from './sides.mjs';
import { visitSlowly, visitTwice } from './visits.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */
/** @typedef {import('./visits.mjs').Visit} Visit */

/** Rounds before the measured ones: a runtime has compiled what it runs, and the browser's programs are in memory. */
const WARM_ROUNDS = 1;
const PATH = '/after';
/** As a browser asks for a page. */
const ASKS = { accept: 'text/html', 'user-agent': 'Mozilla/5.0' };

/**
 * Each round visits both pages in new contexts of one Chromium. The peer's page is made beforehand and only sent, so that neither its
 * middleware nor its builder counts; the gate answers as it always does.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function paint({ backend, choice, rounds }) {
  backend.delay(0, 0);
  // Scripts in TypeScript are read from here on.
  await import('../typescript.mjs');
  const { startChromium } = await import('../../tests/browser/chromium.ts');
  const gate = await startServer(gateWithPages(choice.build, backend));
  const terms = await fetch(`${gate.url}${PATH}`);
  expect(terms.status === 402, `paint: the gate answered ${terms.status}`);
  const required = String(terms.headers.get('payment-required'));
  const peer = await startServer(onlyPage(await paywallPage(required), required));
  const browser = await startChromium();
  onEnd(() => browser.close());
  const sides = [gate, peer].map(({ url }) => `${url}${PATH}`);
  for (const url of sides) {
    const { status, headers } = await fetch(url, { headers: ASKS });
    const type = String(headers.get('content-type'));
    expect(status === 402 && type.startsWith('text/html'), `paint: ${url} answered ${status} of ${type}`);
  }
  const play = async (/** @type {string} */ url) => {
    const [cold, warm] = await visitTwice(browser, url);
    return { cold, warm, slow: await visitSlowly(browser, url) };
  };
  await playRounds(sides, WARM_ROUNDS, play);
  const [ours = [], theirs = []] = await playRounds(sides, rounds, play);
  await browser.close();
  for (const { stop } of [gate, peer]) await stop();

  return LINES.map(([visit, figure, what, unit, divisor]) => ({
    scenario: `paint, ${what}`,
    unit,
    peer: `${PAYWALL} ${PAYWALL_VERSION}`,
    ...compared(...pair([ours, theirs].map((all) => all.map((each) => each[visit][figure] / divisor)))),
    goal: '',
    met: null,
  }));
}

/**
 * What is reported: of which visit, which figure, and in which unit.
 *
 * @type {[visit: 'cold' | 'warm' | 'slow', figure: keyof Visit, what: string, unit: string, divisor: number][]}
 */
const LINES = [
  ['cold', 'paintMs', 'first paint', 'ms', 1],
  ['cold', 'choiceMs', 'wallet can be chosen', 'ms', 1],
  ['cold', 'askedMs', 'wallet asked, pressed at once', 'ms', 1],
  ['cold', 'paintBytes', 'sent before first paint', 'kB', 1000],
  ['cold', 'allBytes', 'sent until the wallet is asked', 'kB', 1000],
  ['warm', 'paintMs', 'second visit, first paint', 'ms', 1],
  ['warm', 'choiceMs', 'second visit, wallet can be chosen', 'ms', 1],
  ['warm', 'allBytes', 'second visit, sent', 'kB', 1000],
  ['slow', 'paintMs', 'slow 4G, first paint', 'ms', 1],
  ['slow', 'choiceMs', 'slow 4G, wallet can be chosen', 'ms', 1],
  ['slow', 'askedMs', 'slow 4G, wallet asked, pressed at once', 'ms', 1],
];

/**
 * @param {number[][]} lists
 * @returns {[number[], number[]]}
 */
const pair = ([ours = [], theirs = []]) => [ours, theirs];

/**
 * The built gate, with the built pages beside it.
 *
 * @param {string} build
 * @param {import('./backend.mjs').Backend} backend
 */
function gateWithPages(build, { originUrl, facilitatorUrl }) {
  if (!existsSync(PAGES)) throw new StepFailed(`there are no built pages in ${PAGES}: \`npm run build\` builds them`);
  return { ...gateOptions(build, originUrl, facilitatorUrl, {}), assets: staticFiles(PAGES) };
}

/**
 * A page that was made before.
 *
 * @param {string} html
 * @param {string} required value of PAYMENT-REQUIRED
 */
const onlyPage = (html, required) => ({ modules: [moduleOf('peers/page.mjs')], bindings: { HTML: html, REQUIRED: required } });

/**
 * Starts a side in a workerd of its own, behind a Worker that compresses.
 *
 * @param {object} side
 */
async function startServer(side) {
  const { started } = await startWatched(async () => {
    const miniflare = new Miniflare(
      /** @type {any} */ ({
        cf: false,
        host: '127.0.0.1',
        port: 0,
        handleRuntimeStdio: (/** @type {import('node:stream').Readable[]} */ ...streams) => {
          for (const stream of streams) stream.resume();
        },
        workers: [
          { name: 'edge', compatibilityDate: COMPATIBILITY, modules: [moduleOf('fronts/edge.mjs')], serviceBindings: { SIDE: 'side' } },
          { name: 'side', compatibilityDate: COMPATIBILITY, ...side },
        ],
      }),
    );
    await miniflare.ready;
    return miniflare;
  });
  const stop = async () => {
    forget();
    await started.dispose();
  };
  const forget = onEnd(stop);
  return { url: (await started.ready).origin, stop };
}

/** @param {string} file below this folder */
const moduleOf = (file) => ({ type: 'ESModule', path: 'index.js', contents: readFileSync(new URL(file, import.meta.url), 'utf8') });
