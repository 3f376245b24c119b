/** `look`: what a request costs, who asks, and what the policy says. Nothing is signed or stored. */
import { FareboxError } from '../error.js';
import { wrapFetch } from '../fetch.js';
import { fileStore } from '../file-store.js';
import type { Policy, Proposal } from '../options.js';
import { generatedSigner } from '../signer.js';
import { memoryStore } from '../store.js';
import { remedyOf } from './remedies.js';
import { asked } from './request.js';
import { jsonText, visible } from './terminal.js';
import { EXIT, type Words } from './words.js';

/** One try: an answer that costs nothing, what would be paid, or why nothing can be. */
type Found = { readonly response?: Response; readonly proposal?: Proposal; readonly error?: FareboxError };

export async function look(words: Words): Promise<number> {
  let answer: Response | undefined;
  const looked = new AbortController();
  // One request, however often its terms are read.
  const once: typeof fetch = async (input, more) => (answer ??= await fetch(input, { ...more, signal: looked.signal })).clone();
  try {
    return await told(words, once);
  } finally {
    // What a server goes on to send is waited for no longer.
    looked.abort();
  }
}

/** Says what the one answer tells of the price. */
async function told(words: Words, once: typeof fetch): Promise<number> {
  const { url, init, policy, store } = asked(words);
  const record = await spentIn(store);
  const found = await tried(once, url, init, policy, record);
  if (found.response !== undefined) {
    const { ok, status } = found.response;
    say(words, { price: null, status }, ok ? [['free', `the answer is ${status}, without a payment`]] : unpriced(found.response));
    return ok ? EXIT.done : EXIT.failed;
  }
  // What a policy refuses is still shown, by one that refuses nothing.
  const proposal = found.proposal ?? (await tried(once, url, init, OPEN, undefined)).proposal;
  const verdict =
    found.error === undefined ? null : { code: found.error.code, message: found.error.message, remedy: remedyOf(found.error) };
  say(words, { ...proposal, refused: verdict }, [
    ...(proposal === undefined ? [] : linesOf(proposal)),
    ['policy', verdict === null ? 'allows it' : `refuses it: ${verdict.code}: ${verdict.message}`],
    ...(verdict === null ? [] : [['', verdict.remedy] as const]),
  ]);
  return verdict === null ? EXIT.done : EXIT.unpaid;
}

/** An answer that fails says nothing of a price: another request of this URL may be sold. */
function unpriced({ status, headers }: Response): (readonly [string, string])[] {
  const allowed = headers.get('allow');
  const methods = allowed === null ? 'the method that it takes' : `one of ${allowed}`;
  return [
    ['unknown', `the answer is ${status}, and says nothing of a price`],
    ...(status === 405 ? [['try', `--method with ${methods}`] as const] : []),
  ];
}

async function tried(once: typeof fetch, url: string, init: RequestInit, policy: Policy, record: string | undefined): Promise<Found> {
  const store = memoryStore();
  if (record !== undefined) await store.replace((await store.read()).version, record);
  let proposal: Proposal | undefined;
  const confirm = (proposed: Proposal): boolean => {
    proposal = proposed;
    return false;
  };
  try {
    return { response: await wrapFetch(once, { signer: generatedSigner(), policy, store, confirm })(url, init) };
  } catch (error) {
    if (proposal !== undefined) return { proposal };
    if (error instanceof FareboxError && !error.code.startsWith('invalid_')) return { error };
    throw error;
  }
}

/** A copy of the record, so that looking counts nothing. */
async function spentIn(folder: string): Promise<string | undefined> {
  return (await fileStore(folder).read()).record;
}

/** A policy that allows whatever can be paid at all. */
const OPEN: Policy = { perPayment: '1000000000', perDay: '1000000000', maxValiditySecs: 86_400, pinPayees: false };

/** A payment in lines, for people. */
export function linesOf(proposal: Proposal): (readonly [string, string])[] {
  const {
    amountText,
    testNetwork,
    network,
    payTo,
    host,
    method,
    url,
    askedUrl,
    protocol,
    description,
    serverSays,
    claimsToSell,
    paysBeforeWork,
    again,
  } = proposal;
  const lines: (readonly [string, string])[] = [
    ['request', `${method} ${askedUrl ?? url}`],
    ...(askedUrl === undefined ? [] : [['leads to', url] as const]),
    ['price', `${amountText}${testNetwork ? ', test money' : ''}`],
    ['network', network],
    ['paid to', `${payTo}, as ${host} asks by ${protocol === 'mpp' ? 'MPP' : 'x402'}`],
  ];
  if (paysBeforeWork) lines.push(['when', 'the money moves before the work']);
  if (again) lines.push(['again', 'an earlier payment for this request has ended, and may have been charged']);
  if (description !== '') lines.push(['for', description]);
  if (claimsToSell !== null) lines.push(['sells', `${claimsToSell}, by its own word`]);
  if (serverSays !== '') lines.push(['says', serverSays]);
  return lines;
}

export function inLines(lines: readonly (readonly [string, string])[]): string {
  return lines.map(([name, text]) => `${name.padEnd(8)} ${text}\n`).join('');
}

function say({ values }: Words, json: object, lines: readonly (readonly [string, string])[]): void {
  process.stdout.write(values.json === true ? `${jsonText(json, 2)}\n` : visible(inLines(lines)));
}
