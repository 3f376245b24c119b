/**
 * Paid requests for agents: look at the cost, mend the request, pay once, and say what happened.
 *
 * @packageDocumentation
 */

export { forModel } from '../for-model.js';
export type { FindErrorCode, FindOptions, Found, FoundResource } from './bazaar.js';
export { FindError, findResources } from './bazaar.js';
export type { ReplayableRequestBody } from './body.js';
export { createFormUrlEncodedBody, createJsonRequestBody, isReplayableRequestBody, toReplayableRequestBody } from './body.js';
export type {
  AllowanceAnswer,
  AllowanceFacts,
  AllowanceQuestion,
  CardContext,
  CheckedLink,
  ExpectedLink,
  KnownSubscription,
  KnownToken,
  ParameterPlan,
  PaymentCandidate,
  PaymentCard,
  PaymentLinkState,
  PaymentOffers,
  PaymentTerms,
  SubscriptionFacts,
  SubscriptionIntent,
  SubscriptionStep,
  TokenBalance,
} from './cards.js';
export {
  allowanceAnswer,
  allowanceQuestion,
  checkPaymentLink,
  followPaymentLink,
  parameterPlan,
  paymentCard,
  paymentLinkIn,
  paymentOffers,
  subscriptionState,
  subscriptionStep,
} from './cards.js';
export type {
  AgentPayAuth,
  AgentPayClientIdentity,
  AgentPayClientOptions,
  ExecutePreparedRequest,
  FetchPaidOptions,
  FetchPaidRequest,
  PreparePaidRequestOptions,
} from './client.js';
export { AgentPayClient, candidateHeaderName, createAgentPayClient } from './client.js';
export * from './contracts.js';
export type {
  FreeAnswer,
  PaymentDeskErrorCode,
  PaymentDeskOptions,
  PaymentOutcome,
  PaymentPreview,
  PaymentQuote,
  PaymentRef,
  QuoteInput,
} from './desk/told.js';
export { PaymentDeskError } from './desk/told.js';
export { createPaymentDesk, PaymentDesk } from './desk.js';
export type { DetectedChallenge } from './detection.js';
export { detectChallengeFromResponse } from './detection.js';
export type { BoughtJob, BuyJobOptions } from './exchange/buyer.js';
export { buyJob } from './exchange/buyer.js';
export type { JobErrorCode, JobErrorFacts, JobMoney } from './exchange/job-error.js';
export { JobError } from './exchange/job-error.js';
export type { BondAsked, Delivery, SellerEvent, SellerJob, Selling, SellJobsOptions } from './exchange/seller.js';
export { SellerError, sellJobs } from './exchange/seller.js';
export type {
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
} from './harness.js';
export { AgentHarness, AgentHarnessError } from './harness.js';
export type { HarnessToolName, HarnessToolSpec } from './instructions.js';
export { defaultHarnessInstructions, defaultHarnessToolSpecs } from './instructions.js';
export type { MadePaymentLink, PaidPaymentLink, PaymentLinkDraft } from './links.js';
export { createPaymentLink, payPaymentLink, readPaymentLink } from './links.js';
export type { AgentBackEnd, LocalAgentOptions, LookedOffer } from './local.js';
export { createLocalAgentClient, LocalAgentClient } from './local.js';
export type { McpCall, McpCallParams, McpCallResult, McpPaid, McpPayment } from './mcp.js';
export { mcpArguments, mcpFetch, mcpToolUrl, payMcpTool, readMcpPayment } from './mcp.js';
export type {
  DeniedPaidResponse,
  ExecutionFailedPaidResponse,
  ExecutionInconclusivePaidResponse,
  ExecutionPendingPaidResponse,
  FetchPaidFailureResponse,
  PaidFulfillmentFailedResponse,
  PaidResponse,
  PassthroughPaidResponse,
  PreflightFailedPaidResponse,
  RequestFailedPaidResponse,
  SuccessPaidResponse,
} from './outcome.js';
export { FetchPaidError, isFetchPaidError } from './outcome.js';
export type { SafeParse, Schema, SchemaIssue } from './schema.js';
export { SchemaError } from './schema.js';
export type { ListedSkill, PublishedSkill, SkillDraft, SkillErrorCode, SkillMarketOptions } from './skills.js';
export { publishSkill, publishVersion, rotateSkillSecret, SkillError, withdrawSkill } from './skills.js';
export { fareboxVersion, sdkClientVersion, sdkClientVersionHeaderName } from './version.js';
