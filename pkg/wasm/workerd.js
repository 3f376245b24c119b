import * as glue from './farebox.js';
import module from './farebox.wasm';
glue.initSync({ module });
export const { Exchange, LocalKey, decodeHeader, encodeHeader, hashTypedData, keccak256, paymentKey, receiptSigner, recoverSigner, redeliveryHeader, redeliveryTypedData } = glue;
