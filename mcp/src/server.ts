/** The MCP server: the three tools, and tools of other servers that are paid for. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  type Tool as McpTool,
} from '@modelcontextprotocol/sdk/types.js';
import { FareboxError, type Proposal } from 'farebox';
import { type AgentHarness, defaultHarnessInstructions, fareboxVersion } from 'farebox/agent';

import { callTool, isToolError, tools } from './tools.js';

/** Further tools, and how they are called. */
export type More = {
  list(): Promise<readonly McpTool[]>;
  /** Nothing if there is no tool of this name. The signal is the host's, which may cancel the call. */
  call(name: string, given: Record<string, unknown>, signal?: AbortSignal): Promise<CallToolResult | undefined>;
};

/** Tells a person about a payment, and whether they agreed. */
export type Ask = (proposal: Proposal) => Promise<boolean>;

/** What a model is told of a review that a person answers elsewhere, by its id. */
export type TellReview = (id: string) => string;

/** A server for one host. `harness` is asked for when the first tool is called. */
export function createAgentServer({
  harness,
  more,
  review,
}: {
  readonly harness: () => AgentHarness;
  readonly more?: More;
  readonly review?: TellReview;
}): Server {
  const server = new Server(
    { name: 'farebox-mcp', version: fareboxVersion },
    { capabilities: { tools: {} }, instructions: defaultHarnessInstructions },
  );
  server.setRequestHandler(ListToolsRequestSchema, async () => ({
    tools: [...(tools as unknown as McpTool[]), ...((await more?.list()) ?? [])],
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: given = {} } }, { signal }) => {
    if (!tools.some((tool) => tool.name === name)) {
      const result = await more?.call(name, given, signal);
      if (result !== undefined) return result;
    }
    const result = withReview(await callTool(harness(), name, given, signal), review);
    const text = JSON.stringify(result);
    const structuredContent = JSON.parse(text) as Record<string, unknown>;
    return { content: [{ type: 'text', text }], structuredContent, ...(isToolError(result) ? { isError: true } : {}) };
  });
  return server;
}

/** A result, also one that was asked for later, with what there is to tell of its review. */
function withReview(result: object, tells: TellReview | undefined): object {
  const { executionResult = result } = result as { readonly executionResult?: object };
  const { policyReviewEventId: id } = executionResult as { readonly policyReviewEventId?: string };
  return tells === undefined || id === undefined ? result : { ...result, review: tells(id) };
}

/**
 * Asks the person at the host, by elicitation. Anything but an explicit yes is a no. Of a host that
 * cannot ask the model is told so, lest it say that a person refused.
 */
export function askThrough(server: () => Server): Ask {
  return async (proposal) => {
    const host = server();
    if (!canAsk(host))
      throw new FareboxError({ code: 'declined', message: CANNOT_ASK, remedy: 'use a host that can ask, or set "ask": "never"' });
    const { action, content } = await host.elicitInput(
      {
        message: cardOf(proposal),
        requestedSchema: {
          type: 'object',
          properties: {
            pay: {
              type: 'boolean',
              title: `Pay ${proposal.price} ${proposal.symbol}${proposal.again ? ' again' : ''}`,
              description: 'Nothing is paid without it.',
            },
          },
          required: ['pay'],
        },
      },
      { timeout: ASK_MS },
    );
    return action === 'accept' && content?.['pay'] === true;
  };
}

/** Whether the host of this server can ask a person. */
export function canAsk(server: Server): boolean {
  return server.getClientCapabilities()?.elicitation !== undefined;
}

/** Said at the start, where the log of a host has it, and of each payment, where the model has it. */
export const CANNOT_ASK =
  'this host cannot ask a person (elicitation), so each payment is declined. Use a host that can, or let the policy decide alone: "ask": "never"';

/** How long a person may think, milliseconds: terms end sooner or later. */
const ASK_MS = 240_000;

/** Characters of path and query that a card has room for. */
const MOST_PATH = 300;

/** Characters that Markdown reads as a link, an image, code, bold or struck text or HTML: hosts may show a card so. */
const MARKDOWN = /[[\]()*_!<>`|~\\]/g;

/** The question to a person, in our words: of the seller there is nothing but addresses and numbers, and so the URL is the one that was asked for. */
export function cardOf({ amountText, network, testNetwork, payTo, method, host, url, askedUrl = url, again }: Proposal): string {
  const { pathname, search } = new URL(askedUrl);
  const path = `${pathname}${search}`.replace(MARKDOWN, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);
  return [
    ...(again ? ['An earlier payment for this request has ended, and may have been charged. Look at the wallet first.'] : []),
    again ? `Pay ${amountText} again?` : `Pay ${amountText} once?`,
    `For: ${method} ${host}${path.slice(0, MOST_PATH)}${path.length > MOST_PATH ? `… (the first ${MOST_PATH} of ${path.length} characters)` : ''}${askedUrl === url ? '' : ', redirected'}`,
    `Network: ${network}${testNetwork ? ', test money' : ''}`,
    `Pay to: ${payTo}`,
  ].join('\n');
}
