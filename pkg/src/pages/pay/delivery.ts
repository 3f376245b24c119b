// What came for a payment: shown, kept, and shown again.

import { make } from '../shared/dom.js';
import { forget, type Goods, keep, noteUnkept } from './kept.js';
import { beginEvents, closePurchase } from './notes.js';
import * as panel from './panel.js';
import { type Bought, loading, saidIn, URL_HERE } from './purchase.js';
import { type Alone, leftOver, look } from './rest.js';
import { ways, whoSigned } from './signed.js';

/** How the page goes on from what is shown. */
export type Flow = {
  /** Takes the choices off. */
  readonly stops: () => void;
  /** Shows the choices. */
  readonly begin: () => void;
  /** Sends what was signed once more. */
  readonly again: () => void;
  readonly alone: Alone;
};

/** Shows what came for a payment, and keeps it. */
export async function take({ response, isSent, receipt }: Bought, flow: Flow): Promise<void> {
  if (response.type === 'opaqueredirect') throw Object.assign(new Error(''), { code: 'leads_on', signed: isSent });
  if (!response.ok) throw Object.assign(new Error(await saidIn(response)), { code: isSent ? 'undelivered' : 'unanswered', signed: isSent });
  const isPaid = receipt !== undefined;
  // What has left for the page before may be charged, whatever answers a look now.
  const isFree = !isPaid && !isSent && !(await isUnendedHere());
  // Without a receipt nobody knows that it is what was paid for: the same payment asks again.
  const isProven = isPaid || isFree;
  const { COMES, contentOf, ENDS, fileOf, isGuarded, isLive, partOf, STOP } = await loading;
  const file = fileOf(response, URL_HERE);
  if (isLive(response)) {
    const isWhole = await follow(response, file, receipt, isProven ? undefined : flow.again);
    // What broke off is asked for again with the same payment.
    if (isPaid && isWhole) await delivered();
    return;
  }
  const { body, ends } = await contentOf(response, isPaid, (note, stop) =>
    panel.show(COMES, note, panel.line(panel.settled(panel.button(STOP, stop)))),
  );
  const isBroken = ends === 'broken';
  // What is not proven takes the place of nothing that was paid for.
  if (isProven) panel.beside(partOf({ body, ends }, file, isPaid));
  // The same payment fetches it again.
  if (isBroken) throw Object.assign(new Error(ENDS.broken), { code: isFree ? 'unanswered' : 'payment_unresolved', signed: !isFree });
  const isWhole = ends === 'whole';
  const goods: Goods = { type: response.headers.get('content-type') ?? '', file, isGuarded: isGuarded(response.headers), receipt, body };
  const isKept = isPaid && isWhole && (await keep(URL_HERE, goods).catch(() => false));
  if (!isKept && isPaid) noteUnkept(URL_HERE);
  if (isPaid) await delivered();
  await deliver(goods, flow, { isKept, isWhole, isFree, isProven });
}

/** Whether something was signed for this page that can still be charged, as far as this browser can tell. */
const isUnendedHere = (): Promise<boolean> =>
  whoSigned().then(
    (before) => before?.hasEnded === false,
    () => true,
  );

/** Ends the purchase. Where that cannot be noted, the same voucher asks again: that is no reason to lose what came. */
const delivered = (): Promise<void> => closePurchase(URL_HERE).catch(() => undefined);

/** Begins anew. */
async function forgotten({ begin }: Flow): Promise<void> {
  await forget(URL_HERE);
  panel.paid(false);
  begin();
}

/** Shows events while they come; whether they came to their end, or their person stopped them. `again` asks for those without a receipt. */
async function follow(response: Response, file: string, receipt: Goods['receipt'], again: (() => void) | undefined): Promise<boolean> {
  const isPaid = receipt !== undefined;
  const { BEGINS, CAME, ENDS, followed, LIVE, OWES, savingOf, STOP, UNKEPT } = await loading;
  const place = make('pre', { tabindex: '0', 'aria-label': CAME });
  const begins = BEGINS[isPaid ? 'paid' : again === undefined ? 'free' : 'unproven'];
  let noted: Promise<void> | undefined;
  if (isPaid) {
    noteUnkept(URL_HERE);
    panel.paid();
    noted = beginEvents(URL_HERE).catch(() => undefined);
  }
  const stopping = new AbortController();
  const stop = panel.settled(panel.button(STOP, () => stopping.abort()));
  panel.show(`${begins} ${LIVE}`, place, ...proofOf(receipt), panel.line(stop));
  const { body, ends } = await followed(response, place, stopping.signal);
  // A tab that began to wait while they came has not heard of the note above.
  if (isPaid) noteUnkept(URL_HERE);
  const isWhole = ends !== 'broken';
  const nodes = [place, savingOf(body, file)];
  const owes = isPaid && !isWhole ? OWES : '';
  if (again === undefined) panel.show(`${begins} ${ENDS[ends]}${owes}`, ...nodes, panel.quiet(UNKEPT), ...proofOf(receipt));
  else panel.unproven(nodes, again);
  // Before this tab lets go of the page: the next purchase of it has another note.
  await noted;
  return isWhole;
}

/** The receipt of what came, with its place in the explorer. */
const proofOf = (receipt: Goods['receipt']): readonly Node[] =>
  panel.receiptLine(receipt?.transaction ?? '', ways.find(({ terms }) => terms.network === receipt?.network)?.explorer ?? '');

/** Shows the goods; where nothing else is said, those that are kept. */
export async function deliver(
  goods: Goods,
  flow: Flow,
  delivery: Delivery = { isKept: true, isWhole: true, isFree: false, isProven: true },
): Promise<void> {
  const { isKept, isWhole, isFree, isProven } = delivery;
  flow.stops();
  const { ENDS, FORGET, HERE, STAYS, shown, UNKEPT } = await loading;
  const nodes = await shown(goods, URL_HERE, isKept);
  if (isFree) return panel.show(HERE.free, ...nodes);
  if (!isProven) return panel.unproven(nodes, flow.again);
  // What is left of a deposit comes after what was paid for, whatever has to be loaded for it.
  const left = make('div');
  const stays = isKept ? [STAYS] : isWhole ? [UNKEPT] : [ENDS.stopped, UNKEPT];
  const forgets = isKept ? [panel.line(panel.button(FORGET, () => void forgotten(flow)))] : [];
  panel.paid();
  panel.show(HERE.paid, ...nodes, ...proofOf(goods.receipt), panel.quiet(stays.join(' ')), ...forgets, left);
  await look();
  // The goods may be nowhere else.
  left.append(...leftOver(() => void deliver(goods, flow, delivery), flow.alone));
}

/**
 * Whether what came is kept for a reload, and all of it; whether nothing was paid for it, and whether its seller showed that it is what was paid
 * for.
 */
type Delivery = { readonly isKept: boolean; readonly isWhole: boolean; readonly isFree: boolean; readonly isProven: boolean };
