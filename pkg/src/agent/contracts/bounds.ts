/** What a caller says of a payment, and how long it may be. */
import { record, text, unknown } from '../schema.js';

export const bounds = { description: text({ min: 1, max: 200 }).optional(), metadata: record(unknown()).optional() };
/** Characters of a key. */
export const MAX_KEY = 128;
export const idempotencyKey = text({ min: 1, max: MAX_KEY }).optional();
