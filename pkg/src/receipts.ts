/** What is known of a response that was paid for. */
import type { SentPayment } from './error.js';
import type { Receipt } from './options.js';

const receipts = new WeakMap<Response, Receipt>();
const payments = new WeakMap<Response, SentPayment>();

/** Notes what a response answers. */
export function noteOf(response: Response, sent: SentPayment, receipt: Receipt | null): void {
  payments.set(response, sent);
  if (receipt !== null) receipts.set(response, receipt);
}

/** The settlement that came with a response of a wrapped `fetch`. */
export function receiptOf(response: Response): Receipt | undefined {
  return receipts.get(response);
}

/** The payment that a response of a wrapped `fetch` answers, if one was sent. */
export function paymentOf(response: Response): SentPayment | undefined {
  return payments.get(response);
}
