// Checks that a request comes from the gate, as docs/origin.md describes.

import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * @param {{ method?: string, url?: string, headers: import('node:http').IncomingHttpHeaders }} request as Node gives it
 * @param {string} secret `ORIGIN_SECRET`
 * @param {number} now unix seconds
 */
export function isFromGate({ method, url, headers }, secret, now = Date.now() / 1000) {
  const found = /^t=(\d{1,12}),v2=([0-9a-f]{64})$/.exec(String(headers['farebox-signature-v2']));
  if (found === null || Math.abs(now - Number(found[1])) > 300) return false;
  const who = headers['farebox-payer'] ?? headers['farebox-client'] ?? '';
  const told = ['payment', 'amount', 'asset', 'network', 'transaction'].map((name) => headers[`farebox-${name}`] ?? '');
  const right = createHmac('sha256', secret)
    .update([found[1], method, url, who, ...told].join('\n'))
    .digest();
  return timingSafeEqual(right, Buffer.from(String(found[2]), 'hex'));
}
