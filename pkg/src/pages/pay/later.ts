// Words that are said once something has left or comes: loaded while a person reads.

import type { PaymentStep } from '../../options.js';

export const COMES = 'An answer comes…';

/** What is done while a payment goes on. */
export const STEPS: Readonly<Record<PaymentStep, (wallet: string) => string>> = {
  looked: () => 'Looking at the terms…',
  confirmed: () => 'Looking at the terms…',
  signing: (wallet) => `Sign in ${wallet}.`,
  sent: () => 'Signed. The server checks and settles the payment…',
  settling: () => 'Still settling. The same payment is sent again: you are charged once.',
  done: () => COMES,
};

export const STOP = 'Stop, and take what came';
/** How live events begin, and how they end. */
export const BEGINS = { paid: 'Paid.', free: 'It costs nothing now.', unproven: 'It came without a receipt.' };
/** Above what came. */
export const HERE = { paid: 'Paid. Here is what you bought.', free: 'It costs nothing now. Here it is.' };
export const LIVE = 'It comes live.';
export const ENDS = { whole: 'That was all.', stopped: 'You stopped it here.', broken: 'It broke off here.' };
export const OWES = ' The seller may owe you a refund.';

export const UNKEPT = 'It does not stay in this browser: save it now.';
export const STAYS = 'It stays in this browser for an hour, so that a reload costs nothing.';
export const FORGET = 'Forget it, and see the price';

/** Where the seller waits until what was deposited is firm. */
export const LATER = {
  title: 'The seller pays the rest back later.',
  advice: 'Ask again in an hour, or after the next page that you pay from your deposit.',
  again: true,
};
/** Where the seller pays nothing back by this deposit. */
export const BY_CONTRACT = {
  title: 'The seller does not pay it back now.',
  advice: 'Ask again later. The account that deposited can also withdraw it from the contract that holds it.',
  again: true,
};
/** Where no answer has come. */
export const UNTOLD = { title: 'It is not known yet whether the rest came back.', advice: 'Nothing more is paid. Ask again.', again: true };
