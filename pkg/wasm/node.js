import { readFileSync } from 'node:fs';
import * as glue from './farebox.js';
glue.initSync({ module: readFileSync(new URL('./farebox.wasm', import.meta.url)) });
export const { Exchange, LocalKey, decodeHeader, encodeHeader, hashTypedData, keccak256, paymentKey, receiptSigner, recoverSigner, redeliveryHeader, redeliveryTypedData } = glue;
