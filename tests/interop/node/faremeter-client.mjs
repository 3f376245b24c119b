// The client of Faremeter, as its documentation sets it up.

import { wrap } from '@faremeter/fetch';
import { createPaymentHandler } from '@faremeter/payment-evm/exact';
import { createLocalWallet } from '@faremeter/wallet-evm';

import { key, show, url } from './answer.mjs';

const wallet = await createLocalWallet({ id: 84532, name: 'Base Sepolia' }, key);
const response = await wrap(fetch, { handlers: [createPaymentHandler(wallet)] })(url);
show(response.status, response.headers, await response.text());
