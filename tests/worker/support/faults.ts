/** Ways in which an origin fails. */
import type { OriginReply } from './origin.ts';

const half = { headers: { 'Content-Type': 'application/json', 'Content-Length': '400' }, body: '{"half":' };

/** What an origin does, and what a client is then told in each mode. */
export type Fault = { readonly reply: OriginReply; readonly after: number; readonly before: number };
export const faults: Readonly<Record<string, Fault>> = {
  '400': { reply: { status: 400, body: 'bad' }, after: 400, before: 502 },
  '401': { reply: { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="o"' }, body: 'who' }, after: 401, before: 502 },
  '402': { reply: { status: 402, headers: { 'PAYMENT-REQUIRED': 'forged' }, body: 'pay me' }, after: 502, before: 502 },
  '404': { reply: { status: 404, body: 'none' }, after: 404, before: 502 },
  '429': { reply: { status: 429, headers: { 'Retry-After': '7' }, body: 'slow' }, after: 429, before: 502 },
  '500': { reply: { status: 500, body: 'oops' }, after: 500, before: 502 },
  '503': { reply: { status: 503, body: 'busy' }, after: 503, before: 502 },
  'no answer': { reply: { then: 'hang' }, after: 504, before: 504 },
  'a head too late': { reply: { delayMs: 2800 }, after: 504, before: 504 },
  'a body that stops': { reply: { ...half, then: 'hang' }, after: 504, before: 504 },
  'a body that ends early': { reply: { ...half, then: 'cut' }, after: 502, before: 502 },
  'a body that is reset': { reply: { ...half, then: 'reset' }, after: 502, before: 502 },
  'a chunked body that is reset': { reply: { body: '{"half":', then: 'reset' }, after: 502, before: 502 },
  'a connection that is reset': { reply: { then: 'reset' }, after: 502, before: 502 },
  'a connection that is closed': { reply: { then: 'cut' }, after: 502, before: 502 },
};
