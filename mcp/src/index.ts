/**
 * The parts of `farebox-mcp`, for hosts of their own: tools for any model, and servers for any
 * transport.
 *
 * @packageDocumentation
 */

export type { Config, SellConfig, ServerConfig, TreasuryConfig } from './config.js';
export { findTool, together } from './find.js';
export { paidTools } from './paid.js';
export { createSellingServer, listenForGate } from './sell.js';
export type { Ask, More, TellReview } from './server.js';
export { askThrough, cardOf, createAgentServer } from './server.js';
export type { AiSchema, AiTool, JsonSchema, Tool, ToolError } from './tools.js';
export { aiTools, callTool, isToolError, tools } from './tools.js';
