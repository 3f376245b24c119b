// The payer by deposit, with its compiled part: loaded where a seller takes deposits.

export { listChannels } from '#channels-wasm';
export { leftIn } from '../../bought.js';
export { channelFetch, channelReceiptOf } from '../../channels.js';
export { nameOf } from '../../named.js';
export { requestOf } from '../../request.js';
export { openSession } from '../../session.js';
