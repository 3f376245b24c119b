// The payer, with its compiled part, and what shows what it brings: loaded while a person reads.

export { endpointsOf } from '../../endpoints.js';
export { payingFetch } from '../../fetch.js';
export { indexedDbStore } from '../../indexeddb.js';
export { nameOf } from '../../named.js';
export { receiptOf } from '../../payment.js';
export { requestOf } from '../../request.js';
export { closeEnded, openPaymentsOf, resume } from '../../resume.js';
export { isUnended } from '../../sent.js';
export { walletSigner } from '../../signer.js';
export { CAME, fileOf, followed, isGuarded, shown } from './goods.js';
