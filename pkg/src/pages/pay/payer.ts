// The payer, with its compiled part, and what shows what it brings: loaded while a person reads.

import { resuming } from '../../resume.js';
import { isLive } from './goods.js';

export { endpointsOf } from '../../endpoints.js';
export { payingFetch } from '../../fetch.js';
export { indexedDbStore } from '../../indexeddb.js';
export { nameOf } from '../../named.js';
export { receiptOf } from '../../receipts.js';
export { requestOf } from '../../request.js';
export { closeEnded, openPaymentsOf } from '../../resume.js';
export { isUnended } from '../../sent.js';
export { walletSigner } from '../../signer.js';
export { CAME, contentOf, fileOf, followed, isGuarded, isLive, partOf, savingOf, shown } from './goods.js';
export * from './later.js';

/** Ends what is shown live once it has begun: the gate gives it to nobody again. */
export const resume = resuming(isLive);
