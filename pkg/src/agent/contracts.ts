/** The contract with a control plane, and what a prepared request looks like. In parts, so that a page loads those that it reads by. */
export * from './contracts/decision.js';
export * from './contracts/metadata.js';
export * from './contracts/money.js';
export * from './contracts/prepared.js';
export * from './contracts/receipt.js';
export * from './contracts/request.js';
