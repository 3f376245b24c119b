// x402-axios, the client of version 1, as its documentation sets it up.

import axios from 'axios';
import { privateKeyToAccount } from 'viem/accounts';
import { withPaymentInterceptor } from 'x402-axios';

import { key, show, url } from './answer.mjs';

const client = withPaymentInterceptor(axios.create(), privateKeyToAccount(key));
const { status, headers, data } = await client.get(url);
show(status, Object.entries(headers.toJSON(true)), JSON.stringify(data));
