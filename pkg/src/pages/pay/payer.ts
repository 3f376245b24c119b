// The payer, with its compiled part, and what shows what it brings: loaded while a person reads.

export { endpointsOf } from '../../endpoints.js';
export { payingFetch, receiptOf } from '../../fetch.js';
export { indexedDbStore } from '../../indexeddb.js';
export { closeEnded, resume, sentPayments } from '../../resume.js';
export { isUnended } from '../../sent.js';
export { walletSigner } from '../../signer.js';
export { CAME, fileOf, followed, isGuarded, shown } from './goods.js';
