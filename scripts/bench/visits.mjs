// Visits of a page that asks for a payment, in Chromium, by a person who has one wallet and is in a hurry.

/** @typedef {import('playwright-core').Browser} Browser */
/** @typedef {import('playwright-core').BrowserContext} BrowserContext */

/**
 * @typedef {object} Visit milliseconds are counted from the start of the navigation
 * @property {number} paintMs first contentful paint, as the browser says
 * @property {number} choiceMs until the page offers the wallet
 * @property {number} askedMs until the wallet is asked for its accounts, by who presses at once
 * @property {number} paintBytes bodies, as they were sent, that had come whole before the first paint, and the document's
 * @property {number} allBytes bodies until the wallet is asked
 */

/** The wallet's name. */
const WALLET = 'Fox';
/** Milliseconds within which a page must have asked the wallet. */
const MOST_MS = 60_000;
/** Nothing is fetched from elsewhere: both sides are on this machine, by `http`, and whatever a page asks of others is refused at once. */
const ELSEWHERE = ['https://*', 'wss://*'];
/** Lighthouse's "slow 4G": bytes a second, and the milliseconds before an answer begins. */
const SLOW_4G = { offline: false, latency: 150, downloadThroughput: (1.6 * 1024 * 1024) / 8, uploadThroughput: (750 * 1024) / 8 };

/**
 * A person who was never here before, and then once more: nothing is cached at first, then whatever the page lets the browser keep.
 *
 * @param {Browser} browser
 * @param {string} url
 * @returns {Promise<[cold: Visit, warm: Visit]>}
 */
export async function visitTwice(browser, url) {
  return inContext(browser, async (context) => [await visit(context, url), await visit(context, url)]);
}

/**
 * A person who was never here before, by telephone.
 *
 * @param {Browser} browser
 * @param {string} url
 * @returns {Promise<Visit>}
 */
export function visitSlowly(browser, url) {
  return inContext(browser, (context) => visit(context, url, SLOW_4G));
}

/**
 * @template T
 * @param {Browser} browser
 * @param {(context: BrowserContext) => Promise<T>} work
 */
async function inContext(browser, work) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    return await work(context);
  } finally {
    await context.close();
  }
}

/**
 * @param {BrowserContext} context
 * @param {string} url
 * @param {typeof SLOW_4G} [conditions]
 * @returns {Promise<Visit>}
 */
async function visit(context, url, conditions) {
  const page = await context.newPage();
  const protocol = await context.newCDPSession(page);
  await protocol.send('Network.enable');
  await protocol.send('Network.setBlockedURLs', { urls: ELSEWHERE });
  if (conditions !== undefined) await protocol.send('Network.emulateNetworkConditions', conditions);
  await page.addInitScript(person, WALLET);
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(isDone, undefined, { timeout: MOST_MS });
  const seen = await page.evaluate(figures);
  await page.close();
  return seen;
}

/**
 * Runs in the page, before its own scripts: a wallet that announces itself (EIP-6963), and a person who waits for its name.
 * Kept to what both sides need: a name on a button, or in a list with a button below it.
 *
 * @param {string} name
 */
function person(name) {
  /** @type {{choiceMs?: number, askedMs?: number}} */
  const seen = {};
  Object.assign(globalThis, { seen });
  const account = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
  const provider = {
    /** @param {{method: string}} asked */
    async request({ method }) {
      if (method === 'eth_chainId') return '0x14a34';
      if (method === 'eth_accounts') return [];
      if (method !== 'eth_requestAccounts') throw Object.assign(new Error(`no ${method}`), { code: 4200 });
      seen.askedMs ??= performance.now();
      return [account];
    },
    on() {},
    removeListener() {},
  };
  const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><rect width='1' height='1'/></svg>";
  const detail = Object.freeze({ info: Object.freeze({ uuid: crypto.randomUUID(), name, icon, rdns: 'example.wallet' }), provider });
  const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  window.addEventListener('eip6963:requestProvider', announce);
  announce();

  const named = (/** @type {string} */ kind) =>
    [.../** @type {NodeListOf<HTMLButtonElement | HTMLOptionElement>} */ (document.querySelectorAll(kind))].find(
      (each) => !each.disabled && each.textContent?.includes(name),
    );
  /** The next frame has been drawn: what stands there is to be seen. */
  const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const watch = new MutationObserver(async () => {
    const choice = named('button') ?? named('option');
    if (choice === undefined) return;
    watch.disconnect();
    seen.choiceMs = performance.now();
    await drawn();
    if (choice instanceof HTMLButtonElement) return choice.click();
    const list = choice.closest('select');
    if (list === null) return;
    list.value = choice.value;
    list.dispatchEvent(new Event('change', { bubbles: true }));
    for (;;) {
      // As soon as the page has taken note of the choice: a frame more would count against the side that has a list.
      const button = /** @type {HTMLButtonElement | null} */ (list.parentElement?.querySelector('button:enabled') ?? null);
      if (button !== null) return button.click();
      await new Promise((resolve) => setTimeout(resolve));
    }
  });
  watch.observe(document, { subtree: true, childList: true, attributes: true });
}

/** Runs in the page: whether there is nothing left to wait for. */
function isDone() {
  const { seen } = /** @type {any} */ (globalThis);
  return seen.choiceMs !== undefined && seen.askedMs !== undefined && performance.getEntriesByName('first-contentful-paint').length > 0;
}

/**
 * Runs in the page.
 *
 * @returns {Visit}
 */
function figures() {
  const { seen } = /** @type {any} */ (globalThis);
  const paintMs = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN;
  const loads = /** @type {PerformanceResourceTiming[]} */ ([
    ...performance.getEntriesByType('navigation'),
    ...performance.getEntriesByType('resource'),
  ]);
  // What comes from the cache has no transfer, and every transfer counts 300 bytes for its headers. Spec: Resource Timing, "transferSize".
  const bodies = (/** @type {PerformanceResourceTiming[]} */ all) =>
    all.reduce((sum, each) => sum + Math.max(0, each.transferSize - 300), 0);
  const before = loads.filter(({ entryType, responseEnd }) => entryType === 'navigation' || responseEnd <= paintMs);
  return { paintMs, choiceMs: seen.choiceMs, askedMs: seen.askedMs, paintBytes: bodies(before), allBytes: bodies(loads) };
}
