/** A request that may have to be paid for, and what asks for that. */
import { choice, type Infer, object, record, text, unknown } from '../schema.js';
import { bounds } from './bounds.js';

export const paidRequestProtocolSchema = choice('x402', 'l402');
export type PaidRequestProtocol = Infer<typeof paidRequestProtocolSchema>;
export const paidRequestHttpMethodSchema = choice('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');
export type PaidRequestHttpMethod = Infer<typeof paidRequestHttpMethodSchema>;
/** The name of an organization or an agent. */
export const externalIdSchema = text({ trim: true, min: 3, max: 64, pattern: /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/ });
export const paidRequestContextSchema = object({ organization: externalIdSchema, agent: externalIdSchema, ...bounds });
export type PaidRequestContext = Infer<typeof paidRequestContextSchema>;
export const paidRequestHttpRequestSchema = object({
  url: text({ form: 'url' }),
  method: paidRequestHttpMethodSchema,
  headers: record(text()).optional(),
  body: text().optional(),
  bodyHash: text({ min: 1, max: 128 }).optional(),
});
export type PaidRequestHttpRequest = Infer<typeof paidRequestHttpRequestSchema>;
export const paidRequestChallengeSchema = object({
  protocol: paidRequestProtocolSchema,
  headers: record(text()).default(() => ({})),
  body: unknown(),
});
export type PaidRequestChallenge = Infer<typeof paidRequestChallengeSchema>;
