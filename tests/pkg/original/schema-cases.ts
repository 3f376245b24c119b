// Values for every schema of `farebox/agent`: one that fits, and many that are a little different. The same on each run.

import {
  ALLOW,
  DENY,
  EXECUTING,
  EXECUTION_FAILED,
  ID,
  INCONCLUSIVE,
  MONEY,
  PAID_FULFILLMENT_FAILED,
  PREFLIGHT_FAILED,
  RECEIPT,
} from '../control-plane.ts';

const attribution = { source: 'merchant_challenge', authority: 'authoritative', note: 'a' };
const field = { name: 'prompt', type: 'string', description: 'What', required: true, defaultValue: null, enumValues: ['a', 'b'] };
const hintField = { ...field, attribution };
const hint = { value: 'json', attribution };
const hints = {
  description: hint,
  requestBodyType: hint,
  requestBodyExample: hint,
  requestBodyFields: [hintField],
  requestQueryParams: [],
  requestPathParams: [hintField],
  notes: [hint],
};
const request = { url: 'https://a.example/x?y=1', method: 'POST', headers: { accept: '*/*' }, body: '{}', bodyHash: 'ab' };
const context = { organization: 'acme', agent: 'buyer-1', description: 'a', metadata: { a: [1] } };
const challenge = { protocol: 'x402', headers: { a: 'b' }, body: { x402Version: 1 } };
const resource = { url: 'https://a.example/x', description: 'a', mimeType: 'text/plain' };
const accept = {
  scheme: 'exact',
  network: 'base',
  amount: '1',
  maxAmountRequired: '1',
  asset: '0x1',
  payTo: '0x2',
  maxTimeoutSeconds: 60,
  resource: 'r',
  description: 'd',
  mimeType: 'm',
  outputSchema: {},
  extra: { name: 'USDC' },
  other: [1],
};
const details = { x402Version: 2, error: 'e', resource, accepts: [accept], extensions: { bazaar: {} } };
const requirement = {
  protocol: 'x402',
  description: 'd',
  asset: 'USDC',
  network: 'base',
  payee: '0x2',
  amountType: 'exact',
  amount: '1.000000',
  amountMinor: '1000000',
  precision: 6,
  provenance: attribution,
};
const probe = { responseStatus: 402, confirmedAt: '2026-03-10T00:00:00.000Z' };
const issue = {
  location: 'body',
  field: 'a',
  code: 'c',
  message: 'm',
  source: 'merchant_challenge',
  blocking: true,
  severity: 'error',
  suggestedFix: 'f',
};
const prepared = { request, hints, probe, validationIssues: [issue], nextAction: 'execute' };
const passthrough = { kind: 'passthrough', protocol: 'none', ...prepared };
const ready = { kind: 'ready', protocol: 'x402', ...prepared, challenge, challengeDetails: details, paymentRequirement: requirement };
const receipt = {
  ...RECEIPT,
  confirmationSource: 'chain_observer',
  attributionStrength: 'constrained_unique',
  attributionBasis: { a: 1 },
  attributionRuleVersion: '1',
  confirmedAt: '2026-03-10T00:00:00Z',
  finalityLevelUsed: 'evm_block_confirmations_12',
  canonicalSettlementKey: 'k',
  paymentReference: 'p',
  evidenceSource: 'merchant',
  settlementEvidenceClass: 'settled',
  settlementIdentifier: 's',
  supersededByReceiptId: ID(9),
  fulfillmentStatus: 'succeeded',
  completedAt: '2026-03-10T00:00:00.1Z',
};
const evidence = { evidence: { a: 1 } };

const SCHEMAS: Readonly<Record<string, unknown>> = {
  receiptAuthorizationOutcomeSchema: 'allowed',
  settlementEvidenceClassSchema: 'settled',
  fulfillmentStatusSchema: 'succeeded',
  receiptStatusSchema: 'void',
  receiptReconciliationStatusSchema: 'in_progress',
  paymentProofSourceSchema: 'merchant',
  chainAttributionStrengthSchema: 'constrained_unique',
  chainConfirmationSourceSchema: 'chain_observer',
  chainFinalityLevelSchema: 'solana_commitment_finalized',
  chainAttributionBasisSchema: { any: [1] },
  paidRequestProtocolSchema: 'l402',
  paidRequestHttpMethodSchema: 'PATCH',
  paidRequestReasonCodeSchema: 'settlement_proof_conflict',
  externalIdSchema: 'acme',
  monetaryAmountSchema: '1.000000',
  currencyCodeSchema: 'USDC',
  moneyUnitSchema: 'minor',
  normalizedMoneySchema: MONEY,
  paidRequestContextSchema: context,
  paidRequestHttpRequestSchema: request,
  paidRequestChallengeSchema: challenge,
  sdkPreparationSourceSchema: 'external_metadata',
  sdkPreparationAuthoritySchema: 'advisory',
  sdkPreparationAttributionSchema: attribution,
  sdkPreparationFieldSchema: field,
  sdkExternalMetadataSchema: {
    description: 'd',
    requestBodyType: 'json',
    requestBodyExample: '{}',
    requestBodyFields: [field],
    requestQueryParams: [field],
    requestPathParams: [field],
    notes: ['n'],
  },
  sdkPreparedHintValueSchema: hint,
  sdkPreparedHintFieldSchema: hintField,
  sdkPreparedRequestHintsSchema: hints,
  sdkPreparedPaymentRequirementAmountTypeSchema: 'max',
  sdkPreparedChallengeResourceSchema: resource,
  sdkPreparedChallengeAcceptSchema: accept,
  sdkPreparedChallengeDetailsSchema: details,
  sdkPreparedPaymentRequirementSchema: requirement,
  sdkPreparedProbeResultSchema: probe,
  sdkPreparedValidationIssueLocationSchema: 'headers',
  sdkPreparedValidationSeveritySchema: 'warning',
  sdkPreparedValidationIssueSchema: issue,
  sdkPreparedNextActionSchema: 'revise_request',
  sdkPreparedPaidRequestPassthroughSchema: passthrough,
  sdkPreparedPaidRequestReadySchema: ready,
  sdkPreparedPaidRequestSchema: ready,
  sdkPaymentDecisionRequestSchema: { context, request, challenge, idempotencyKey: 'a' },
  sdkReceiptSchema: receipt,
  sdkMerchantResponseSchema: { status: 200, headers: { a: 'b' }, body: 'c' },
  sdkPaymentDecisionAllowResponseSchema: { ...ALLOW, receipt },
  sdkPaymentDecisionPaidFulfillmentFailedResponseSchema: { ...PAID_FULFILLMENT_FAILED, ...evidence },
  sdkPaymentDecisionExecutionFailedResponseSchema: { ...EXECUTION_FAILED, ...evidence },
  sdkPaymentDecisionPreflightFailedResponseSchema: { ...PREFLIGHT_FAILED, ...evidence },
  sdkPaymentDecisionExecutingResponseSchema: EXECUTING,
  sdkPaymentDecisionInconclusiveResponseSchema: { ...INCONCLUSIVE, ...evidence },
  sdkPaymentDecisionDenyResponseSchema: { ...DENY, policyReviewEventId: ID(7) },
  sdkPaymentDecisionResponseSchema: ALLOW,
  sdkReceiptResponseSchema: { receipt },
};

/** Whatever a member may turn out to be. */
const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1,
  1.5,
  7,
  18,
  99,
  100,
  599,
  600,
  '',
  ' ',
  ' a ',
  'a\n',
  'acme',
  ' acme ',
  'Acme',
  'ac',
  '1',
  '-1',
  '1.5',
  '01.50',
  '1e6',
  '402',
  'usdc',
  'USDC ',
  '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  'nope',
  '/a',
  'mailto:a',
  'http://a b',
  'GET',
  'get',
  'none',
  'ready',
  'deny',
  ID(3),
  ID(3).toUpperCase(),
  `${ID(3)} `,
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '2026-03-10T00:00:00Z',
  '2026-03-10T00:00Z',
  '2026-03-10T00:00:00.123456Z',
  '2026-03-10T00:00:00',
  '2026-03-10T00:00:00+01:00',
  '2026-03-10T00:00:00-0100',
  '2026-02-29T00:00:00Z',
  '2024-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-04-31T00:00:00Z',
  '2026-03-10T24:00:00Z',
  '2026-03-10t00:00:00z',
  '2026-03-10 00:00:00Z',
  '2026-03-10',
  'x'.repeat(40),
  'x'.repeat(41),
  'x'.repeat(64),
  'x'.repeat(65),
  'x'.repeat(100),
  'x'.repeat(101),
  'x'.repeat(128),
  'x'.repeat(129),
  'x'.repeat(200),
  'x'.repeat(201),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(400),
  'x'.repeat(401),
  ` ${'x'.repeat(400)} `,
  [],
  {},
  [''],
  [' a '],
  ['a'],
  [1],
  [null],
  [{}],
  { a: 1 },
  { a: 'b' },
  { a: '' },
];

export type SchemaCase = { readonly schema: string; readonly value: unknown };

/** Each schema with what fits, each member missing, each of its members (or the whole) something odd, and one member too many. */
export function schemaCases(): SchemaCase[] {
  const cases: SchemaCase[] = [];
  for (const [schema, good] of Object.entries(SCHEMAS)) {
    cases.push({ schema, value: good });
    for (const odd of ODD) cases.push({ schema, value: odd });
    for (const value of changed(good, 2)) cases.push({ schema, value });
  }
  return cases;
}

/** The value with one of its members changed, down to `depth` levels. */
function* changed(value: unknown, depth: number): Generator<unknown> {
  if (typeof value !== 'object' || value === null || depth === 0) return;
  if (Array.isArray(value)) {
    for (const inner of changed(value[0], depth)) yield [inner];
    return;
  }
  yield { ...value, surplus: 'a' };
  for (const [name, member] of Object.entries(value)) {
    const { [name]: _, ...rest } = value as Record<string, unknown>;
    yield rest;
    for (const odd of ODD) yield { ...value, [name]: odd };
    for (const inner of changed(member, depth - 1)) yield { ...value, [name]: inner };
  }
}
