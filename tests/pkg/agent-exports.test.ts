// Every name that programs written for @402flow/sdk import, at run time and as a type. Only the import is ours.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type {
  AgentHarnessClient,
  AgentHarnessExecutedResult,
  AgentHarnessExecuteInput,
  AgentHarnessExecutionBinding,
  AgentHarnessExecutionLookup,
  AgentHarnessExecutionResult,
  AgentHarnessOptions,
  AgentHarnessPreparedRecord,
  AgentHarnessPreparedState,
  AgentHarnessPreparedSummary,
  AgentHarnessPrepareInput,
  AgentHarnessRejectedResult,
  AgentHarnessRejectionCode,
  AgentPayAuth,
  AgentPayClientIdentity,
  AgentPayClientOptions,
  ChainAttributionBasis,
  ChainAttributionStrength,
  ChainConfirmationSource,
  ChainFinalityLevel,
  DeniedPaidResponse,
  DetectedChallenge,
  ExecutePreparedRequest,
  ExecutionFailedPaidResponse,
  ExecutionInconclusivePaidResponse,
  ExecutionPendingPaidResponse,
  FetchPaidFailureResponse,
  FetchPaidOptions,
  FetchPaidRequest,
  FulfillmentStatus,
  HarnessToolName,
  HarnessToolSpec,
  NormalizedMoney,
  PaidFulfillmentFailedResponse,
  PaidRequestChallenge,
  PaidRequestContext,
  PaidRequestHttpMethod,
  PaidRequestHttpRequest,
  PaidRequestProtocol,
  PaidRequestReasonCode,
  PaidResponse,
  PassthroughPaidResponse,
  PaymentProofSource,
  PreflightFailedPaidResponse,
  PreparePaidRequestOptions,
  ReceiptAuthorizationOutcome,
  ReceiptReconciliationStatus,
  ReceiptStatus,
  ReplayableRequestBody,
  RequestFailedPaidResponse,
  SdkExternalMetadata,
  SdkMerchantResponse,
  SdkPaymentDecisionRequest,
  SdkPaymentDecisionResponse,
  SdkPreparationAttribution,
  SdkPreparationAuthority,
  SdkPreparationField,
  SdkPreparationSource,
  SdkPreparedChallengeAccept,
  SdkPreparedChallengeDetails,
  SdkPreparedChallengeResource,
  SdkPreparedHintField,
  SdkPreparedHintValue,
  SdkPreparedNextAction,
  SdkPreparedPaidRequest,
  SdkPreparedPaidRequestPassthrough,
  SdkPreparedPaidRequestReady,
  SdkPreparedPaymentRequirement,
  SdkPreparedPaymentRequirementAmountType,
  SdkPreparedProbeResult,
  SdkPreparedRequestHints,
  SdkPreparedValidationIssue,
  SdkPreparedValidationIssueLocation,
  SdkPreparedValidationSeverity,
  SdkReceipt,
  SdkReceiptResponse,
  SettlementEvidenceClass,
  SuccessPaidResponse,
} from '../../pkg/dist/agent/index.js';
import * as sdk from '../../pkg/dist/agent/index.js';
import {
  ALLOW,
  DENY,
  EXECUTING,
  EXECUTION_FAILED,
  INCONCLUSIVE,
  MONEY,
  PAID_FULFILLMENT_FAILED,
  PREFLIGHT_FAILED,
  RECEIPT,
} from './control-plane.ts';

const attribution: SdkPreparationAttribution = { source: 'merchant_challenge', authority: 'authoritative' };
const hints: SdkPreparedRequestHints = { requestBodyFields: [], requestQueryParams: [], requestPathParams: [], notes: [] };
const request: PaidRequestHttpRequest = { url: 'https://merchant.example.com/', method: 'GET' };
const requirement: SdkPreparedPaymentRequirement = { protocol: 'x402', provenance: attribution };
const challenge: PaidRequestChallenge = { protocol: 'x402', headers: {} };
const passthrough: SdkPreparedPaidRequestPassthrough = {
  kind: 'passthrough',
  protocol: 'none',
  request,
  hints,
  validationIssues: [],
  nextAction: 'treat_as_passthrough',
};
const ready: SdkPreparedPaidRequestReady = {
  kind: 'ready',
  protocol: 'x402',
  request,
  hints,
  validationIssues: [],
  nextAction: 'execute',
  challenge,
  paymentRequirement: requirement,
};
const issue: SdkPreparedValidationIssue = {
  location: 'body',
  field: 'a',
  code: 'missing_required_field',
  message: 'm',
  source: 'merchant_challenge',
  blocking: true,
  severity: 'error',
};
const context: PaidRequestContext = { organization: 'acme', agent: 'buyer' };
const long = 'x'.repeat(201);

/** Each schema with a value that it reads and one that it refuses. */
const SCHEMAS: Readonly<Record<string, readonly [good: unknown, bad: unknown]>> = {
  receiptAuthorizationOutcomeSchema: ['allowed', 'denied'],
  settlementEvidenceClassSchema: ['settled', 'sure'],
  fulfillmentStatusSchema: ['succeeded', 'done'],
  receiptStatusSchema: ['expired_unconfirmed', 'paid'],
  receiptReconciliationStatusSchema: ['in_progress', ''],
  paymentProofSourceSchema: ['local_simulation', 'chain'],
  chainAttributionStrengthSchema: ['constrained_unique', 'weak'],
  chainConfirmationSourceSchema: ['chain_observer', 'merchant'],
  chainFinalityLevelSchema: ['evm_block_confirmations_12', 'soon'],
  chainAttributionBasisSchema: [{ any: [1] }, []],
  paidRequestProtocolSchema: ['l402', 'X402'],
  paidRequestHttpMethodSchema: ['PATCH', 'get'],
  paidRequestReasonCodeSchema: ['settlement_proof_conflict', 'because'],
  externalIdSchema: ['acme', 'Acme'],
  monetaryAmountSchema: ['1.000000', '1e6'],
  currencyCodeSchema: ['EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v', 'us'],
  moneyUnitSchema: ['minor', 'major'],
  normalizedMoneySchema: [MONEY, { ...MONEY, amountMinor: '1' }],
  paidRequestContextSchema: [context, { ...context, agent: 'Buyer 1' }],
  paidRequestHttpRequestSchema: [request, { ...request, url: '/relative' }],
  paidRequestChallengeSchema: [{ protocol: 'x402' }, { protocol: 'http' }],
  sdkPreparationSourceSchema: ['external_metadata', 'model'],
  sdkPreparationAuthoritySchema: ['advisory', 'certain'],
  sdkPreparationAttributionSchema: [attribution, { source: 'merchant_challenge' }],
  sdkPreparationFieldSchema: [{ name: 'a', defaultValue: 1 }, { name: '' }],
  sdkExternalMetadataSchema: [{ notes: ['a'], requestBodyFields: [{ name: 'a' }] }, { description: 'x'.repeat(401) }],
  sdkPreparedHintValueSchema: [{ value: 'a', attribution }, { value: 'a' }],
  sdkPreparedHintFieldSchema: [{ name: 'a', attribution }, { attribution }],
  sdkPreparedRequestHintsSchema: [{}, { notes: 'a' }],
  sdkPreparedPaymentRequirementAmountTypeSchema: ['max', 'upto'],
  sdkPreparedChallengeResourceSchema: [{ url: '/a' }, {}],
  sdkPreparedChallengeAcceptSchema: [{ scheme: 'exact', other: 1 }, { scheme: 1 }],
  sdkPreparedChallengeDetailsSchema: [{ accepts: [{ payTo: '0xmerchant' }] }, { accepts: {} }],
  sdkPreparedPaymentRequirementSchema: [requirement, { protocol: 'x402' }],
  sdkPreparedProbeResultSchema: [
    { responseStatus: 402, confirmedAt: '2026-03-10T00:00:00.000Z' },
    { responseStatus: 402, confirmedAt: 'now' },
  ],
  sdkPreparedValidationIssueLocationSchema: ['headers', 'cookie'],
  sdkPreparedValidationSeveritySchema: ['warning', 'info'],
  sdkPreparedValidationIssueSchema: [issue, { ...issue, blocking: 'yes' }],
  sdkPreparedNextActionSchema: ['revise_request', 'pay'],
  sdkPreparedPaidRequestPassthroughSchema: [passthrough, ready],
  sdkPreparedPaidRequestReadySchema: [ready, passthrough],
  sdkPreparedPaidRequestSchema: [ready, { ...ready, kind: 'unknown' }],
  sdkPaymentDecisionRequestSchema: [
    { context, request, challenge, idempotencyKey: 'a' },
    { context, request, challenge, idempotencyKey: '' },
  ],
  sdkReceiptSchema: [RECEIPT, { ...RECEIPT, receiptId: 1 }],
  sdkMerchantResponseSchema: [{ status: 103 }, { status: 99 }],
  sdkPaymentDecisionAllowResponseSchema: [ALLOW, DENY],
  sdkPaymentDecisionPaidFulfillmentFailedResponseSchema: [
    PAID_FULFILLMENT_FAILED,
    { ...PAID_FULFILLMENT_FAILED, fulfillmentStatus: 'succeeded' },
  ],
  sdkPaymentDecisionExecutionFailedResponseSchema: [EXECUTION_FAILED, { ...EXECUTION_FAILED, reasonCode: 'policy_allow' }],
  sdkPaymentDecisionPreflightFailedResponseSchema: [PREFLIGHT_FAILED, { ...PREFLIGHT_FAILED, reason: '' }],
  sdkPaymentDecisionExecutingResponseSchema: [EXECUTING, INCONCLUSIVE],
  sdkPaymentDecisionInconclusiveResponseSchema: [INCONCLUSIVE, EXECUTING],
  sdkPaymentDecisionDenyResponseSchema: [DENY, { ...DENY, reasonCode: 'no' }],
  sdkPaymentDecisionResponseSchema: [EXECUTING, { outcome: 'maybe' }],
  sdkReceiptResponseSchema: [{ receipt: RECEIPT }, RECEIPT],
};
type AnySchema = {
  parse(value: unknown): unknown;
  safeParse(value: unknown): { success: boolean; data?: unknown; error?: { issues: { path: unknown[]; message: string }[] } };
};
const exported = sdk as unknown as Readonly<Record<string, AnySchema>>;

/** The other names: four classes, eight functions, five constants. */
const OTHERS: Readonly<Record<string, () => void>> = {
  AgentPayClient: () => assert.ok(sdk.createAgentPayClient(OPTIONS) instanceof sdk.AgentPayClient),
  createAgentPayClient: () => assert.equal(typeof sdk.createAgentPayClient(OPTIONS).lookupReceipt, 'function'),
  FetchPaidError: () => assert.equal(new sdk.FetchPaidError(DETAILS).message, 'denied: Denied.'),
  isFetchPaidError: () => assert.deepEqual([new sdk.FetchPaidError(DETAILS), new Error('denied')].map(sdk.isFetchPaidError), [true, false]),
  AgentHarness: () =>
    assert.throws(() => new sdk.AgentHarness({ client: CLIENT }).getExecutionResult('a'), /Prepared request a is unknown\./),
  AgentHarnessError: () =>
    assert.deepEqual(pick(new sdk.AgentHarnessError('unknown_prepared_id', 'm', 'a')), [
      'AgentHarnessError',
      'unknown_prepared_id',
      'm',
      'a',
    ]),
  detectChallengeFromResponse: () => assert.ok(sdk.detectChallengeFromResponse(new Response('')) instanceof Promise),
  isReplayableRequestBody: () =>
    assert.deepEqual(['a', new URLSearchParams(), null, new FormData()].map(sdk.isReplayableRequestBody), [true, true, false, false]),
  toReplayableRequestBody: () =>
    assert.deepEqual([undefined, null, 'a', new URLSearchParams('a=1')].map(sdk.toReplayableRequestBody), [
      undefined,
      undefined,
      'a',
      'a=1',
    ]),
  createJsonRequestBody: () => assert.equal(sdk.createJsonRequestBody({ a: [1] }), '{"a":[1]}'),
  createFormUrlEncodedBody: () =>
    assert.equal(
      sdk.createFormUrlEncodedBody({ prompt: 'hello', attempts: 2, tags: ['alpha', 'beta'], dryRun: false }).toString(),
      'prompt=hello&attempts=2&tags=alpha&tags=beta&dryRun=false',
    ),
  monetaryAmountToMinorUnits: () => {
    assert.equal(sdk.monetaryAmountToMinorUnits('2.5', 6), '2500000');
    assert.throws(() => sdk.monetaryAmountToMinorUnits('1,5', 6), { message: 'Invalid monetary amount format.' });
    assert.throws(() => sdk.monetaryAmountToMinorUnits('0.0000001', 6), { message: 'Monetary amount exceeds the declared precision.' });
  },
  defaultMoneyPrecision: () => assert.equal(sdk.defaultMoneyPrecision, 6),
  defaultHarnessInstructions: () =>
    assert.ok(sdk.defaultHarnessInstructions.includes("Follow each tool's description for when and how to call it.")),
  defaultHarnessToolSpecs: () => {
    const [prepare, execute, result] = sdk.defaultHarnessToolSpecs;
    assert.deepEqual(
      [prepare?.name, execute?.name, result?.name],
      ['prepare_paid_request', 'execute_prepared_request', 'get_execution_result'],
    );
    assert.match(prepare?.description ?? '', /nextAction is the authoritative machine contract/);
    assert.match(execute?.description ?? '', /already consumed/);
  },
  sdkClientVersion: () => assert.equal(sdk.sdkClientVersion, '0.1.0-alpha.22'),
  sdkClientVersionHeaderName: () => assert.equal(sdk.sdkClientVersionHeaderName, 'x-402flow-sdk-version'),
};
const OPTIONS: AgentPayClientOptions = {
  controlPlaneBaseUrl: 'http://127.0.0.1:9/',
  auth: { type: 'runtimeToken', runtimeToken: 't' },
  organization: 'acme',
  agent: 'buyer',
};
const CLIENT: AgentHarnessClient = sdk.createAgentPayClient(OPTIONS);
const DETAILS: DeniedPaidResponse = {
  kind: 'denied',
  protocol: 'x402',
  response: new Response('', { status: 403 }),
  reason: 'Denied.',
  decision: { outcome: 'deny', reasonCode: 'policy_denied', reason: 'Denied.' },
};
const pick = ({ name, code, message, preparedId }: sdk.AgentHarnessError): unknown[] => [name, code, message, preparedId];

/** Every exported type, used. */
type Types = {
  AgentHarnessClient: AgentHarnessClient;
  AgentHarnessExecuteInput: AgentHarnessExecuteInput;
  AgentHarnessExecutedResult: AgentHarnessExecutedResult;
  AgentHarnessExecutionBinding: AgentHarnessExecutionBinding;
  AgentHarnessExecutionLookup: AgentHarnessExecutionLookup;
  AgentHarnessExecutionResult: AgentHarnessExecutionResult;
  AgentHarnessOptions: AgentHarnessOptions;
  AgentHarnessPreparedRecord: AgentHarnessPreparedRecord;
  AgentHarnessPreparedState: AgentHarnessPreparedState;
  AgentHarnessPreparedSummary: AgentHarnessPreparedSummary;
  AgentHarnessPrepareInput: AgentHarnessPrepareInput;
  AgentHarnessRejectedResult: AgentHarnessRejectedResult;
  AgentHarnessRejectionCode: AgentHarnessRejectionCode;
  AgentPayAuth: AgentPayAuth;
  AgentPayClientIdentity: AgentPayClientIdentity;
  AgentPayClientOptions: AgentPayClientOptions;
  ChainAttributionBasis: ChainAttributionBasis;
  ChainAttributionStrength: ChainAttributionStrength;
  ChainConfirmationSource: ChainConfirmationSource;
  ChainFinalityLevel: ChainFinalityLevel;
  DeniedPaidResponse: DeniedPaidResponse;
  DetectedChallenge: DetectedChallenge;
  ExecutePreparedRequest: ExecutePreparedRequest;
  ExecutionFailedPaidResponse: ExecutionFailedPaidResponse;
  ExecutionInconclusivePaidResponse: ExecutionInconclusivePaidResponse;
  ExecutionPendingPaidResponse: ExecutionPendingPaidResponse;
  FetchPaidFailureResponse: FetchPaidFailureResponse;
  FetchPaidOptions: FetchPaidOptions;
  FetchPaidRequest: FetchPaidRequest;
  FulfillmentStatus: FulfillmentStatus;
  HarnessToolName: HarnessToolName;
  HarnessToolSpec: HarnessToolSpec;
  NormalizedMoney: NormalizedMoney;
  PaidFulfillmentFailedResponse: PaidFulfillmentFailedResponse;
  PaidRequestChallenge: PaidRequestChallenge;
  PaidRequestContext: PaidRequestContext;
  PaidRequestHttpMethod: PaidRequestHttpMethod;
  PaidRequestHttpRequest: PaidRequestHttpRequest;
  PaidRequestProtocol: PaidRequestProtocol;
  PaidRequestReasonCode: PaidRequestReasonCode;
  PaidResponse: PaidResponse;
  PassthroughPaidResponse: PassthroughPaidResponse;
  PaymentProofSource: PaymentProofSource;
  PreflightFailedPaidResponse: PreflightFailedPaidResponse;
  PreparePaidRequestOptions: PreparePaidRequestOptions;
  ReceiptAuthorizationOutcome: ReceiptAuthorizationOutcome;
  ReceiptReconciliationStatus: ReceiptReconciliationStatus;
  ReceiptStatus: ReceiptStatus;
  ReplayableRequestBody: ReplayableRequestBody;
  RequestFailedPaidResponse: RequestFailedPaidResponse;
  SdkExternalMetadata: SdkExternalMetadata;
  SdkMerchantResponse: SdkMerchantResponse;
  SdkPaymentDecisionRequest: SdkPaymentDecisionRequest;
  SdkPaymentDecisionResponse: SdkPaymentDecisionResponse;
  SdkPreparationAttribution: SdkPreparationAttribution;
  SdkPreparationAuthority: SdkPreparationAuthority;
  SdkPreparationField: SdkPreparationField;
  SdkPreparationSource: SdkPreparationSource;
  SdkPreparedChallengeAccept: SdkPreparedChallengeAccept;
  SdkPreparedChallengeDetails: SdkPreparedChallengeDetails;
  SdkPreparedChallengeResource: SdkPreparedChallengeResource;
  SdkPreparedHintField: SdkPreparedHintField;
  SdkPreparedHintValue: SdkPreparedHintValue;
  SdkPreparedNextAction: SdkPreparedNextAction;
  SdkPreparedPaidRequest: SdkPreparedPaidRequest;
  SdkPreparedPaidRequestPassthrough: SdkPreparedPaidRequestPassthrough;
  SdkPreparedPaidRequestReady: SdkPreparedPaidRequestReady;
  SdkPreparedPaymentRequirement: SdkPreparedPaymentRequirement;
  SdkPreparedPaymentRequirementAmountType: SdkPreparedPaymentRequirementAmountType;
  SdkPreparedProbeResult: SdkPreparedProbeResult;
  SdkPreparedRequestHints: SdkPreparedRequestHints;
  SdkPreparedValidationIssue: SdkPreparedValidationIssue;
  SdkPreparedValidationIssueLocation: SdkPreparedValidationIssueLocation;
  SdkPreparedValidationSeverity: SdkPreparedValidationSeverity;
  SdkReceipt: SdkReceipt;
  SdkReceiptResponse: SdkReceiptResponse;
  SettlementEvidenceClass: SettlementEvidenceClass;
  SuccessPaidResponse: SuccessPaidResponse;
};
/** A value of types that tests elsewhere do not make: each assignment is checked by the compiler. */
const TYPED = {
  AgentPayAuth: { type: 'bootstrapKey', bootstrapKey: 'k' },
  AgentPayClientIdentity: { organization: 'acme', agent: 'buyer' },
  FetchPaidRequest: { description: 'd', metadata: { a: 1 }, idempotencyKey: 'k', challenge: { protocol: 'l402', headers: {} } },
  ExecutePreparedRequest: { idempotencyKey: 'k' },
  PreparePaidRequestOptions: { externalMetadata: { requestBodyFields: [{ name: 'a', type: 'string', required: true }] } },
  FetchPaidOptions: {},
  ReplayableRequestBody: new URLSearchParams(),
  SdkPreparedChallengeAccept: { payTo: '0xmerchant', anything: [1] },
  NormalizedMoney: MONEY,
  SdkReceipt: RECEIPT,
  HarnessToolSpec: { name: 'get_execution_result', description: 'd' },
  AgentHarnessRejectedResult: { preparedId: 'a', harnessDisposition: 'rejected', rejectionCode: 'expired_prepared_id', message: 'm' },
} satisfies Partial<Types>;

for (const [name, [good, bad]] of Object.entries(SCHEMAS)) {
  test(`${name} reads what the contract allows and says what else is wrong`, () => {
    const schema = exported[name];
    assert.ok(schema);
    assert.deepEqual(schema.safeParse(good).error?.issues, undefined);
    schema.parse(good);
    const refused = schema.safeParse(bad);
    assert.equal(refused.success, false);
    assert.ok((refused.error?.issues.length ?? 0) > 0);
    assert.throws(() => schema.parse(bad), { name: 'ZodError' });
  });
}

for (const [name, holds] of Object.entries(OTHERS)) test(`${name} is what programs expect`, holds);

test('all names of the original are exported, and beside them only our own', () => {
  const original = [...Object.keys(SCHEMAS), ...Object.keys(OTHERS)];
  assert.equal(original.length, 71);
  const ours = Object.keys(sdk).filter((name) => !original.includes(name));
  assert.deepEqual(
    original.filter((name) => !(name in sdk)),
    [],
  );
  assert.deepEqual(ours.sort(), [
    'FindError',
    'JobError',
    'LocalAgentClient',
    'PaymentDesk',
    'PaymentDeskError',
    'SchemaError',
    'SellerError',
    'SkillError',
    'allowanceAnswer',
    'allowanceQuestion',
    'buyJob',
    'candidateHeaderName',
    'checkPaymentLink',
    'createLocalAgentClient',
    'createPaymentDesk',
    'createPaymentLink',
    'fareboxVersion',
    'findResources',
    'followPaymentLink',
    'forModel',
    'mcpArguments',
    'mcpFetch',
    'mcpToolUrl',
    'parameterPlan',
    'payMcpTool',
    'payPaymentLink',
    'paymentCard',
    'paymentLinkIn',
    'paymentOffers',
    'publishSkill',
    'publishVersion',
    'readMcpPayment',
    'readPaymentLink',
    'rotateSkillSecret',
    'sellJobs',
    'subscriptionState',
    'subscriptionStep',
    'withdrawSkill',
  ]);
});

test('all types of the original are exported', () => {
  // The compiler reads each of them above; this counts them.
  const [, list = ''] = /^type Types = \{(.*?)^\};/ms.exec(readFileSync('tests/pkg/agent-exports.test.ts', 'utf8')) ?? [];
  assert.equal(new Set(list.match(/\w+(?=: \w+;)/g)).size, 78);
  assert.equal(Object.keys(TYPED).length, 12);
});

test('schemas leave out what they do not know, trim selectors and fill what is missing', () => {
  assert.deepEqual(sdk.paidRequestContextSchema.parse({ organization: ' acme ', agent: 'buyer', more: 1 }), {
    organization: 'acme',
    agent: 'buyer',
  });
  assert.deepEqual(sdk.sdkMerchantResponseSchema.parse({ status: 204 }), { status: 204, headers: {}, body: '' });
  assert.deepEqual(sdk.sdkPreparedChallengeAcceptSchema.parse({ scheme: 'exact', more: 1 }), { scheme: 'exact', more: 1 });
  assert.equal(sdk.paidRequestContextSchema.safeParse({ ...context, description: long }).success, false);
  assert.deepEqual(sdk.paidRequestHttpRequestSchema.safeParse({ url: 'no', method: 'GET' }).error?.flatten(), {
    formErrors: [],
    fieldErrors: { url: ['Invalid url'] },
  });
  assert.equal(Object.getPrototypeOf(sdk.chainAttributionBasisSchema.parse(JSON.parse('{"__proto__":{"a":1}}'))), Object.prototype);
});

test('an allow with a conflict of proofs and a confirmed receipt in a Solana mint is valid', () => {
  const money = { ...MONEY, asset: 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v' };
  const receipt = {
    ...RECEIPT,
    money,
    confirmationSource: 'chain_observer',
    finalityLevelUsed: 'solana_commitment_finalized',
    confirmedAt: '2026-03-10T00:00:00Z',
  };
  assert.equal(
    sdk.sdkPaymentDecisionResponseSchema.safeParse({ ...ALLOW, reasonCode: 'settlement_proof_conflict', receipt }).success,
    true,
  );
});
