/** The three tools of `farebox/agent`, for any host: their schemas, and what a call of them does. */
import { FareboxError } from 'farebox';
import { type AgentHarness, defaultHarnessToolSpecs, forModel, type HarnessToolName } from 'farebox/agent';

/** A JSON schema, as far as tools need one. */
export type JsonSchema = {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, object>>;
  readonly required: readonly string[];
  readonly additionalProperties?: boolean;
};

export type Tool = {
  readonly name: HarnessToolName;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  /** Whether it only reads, may be called again, and reaches others. Spec: MCP, "ToolAnnotations". */
  readonly annotations: Readonly<Record<'readOnlyHint' | 'destructiveHint' | 'idempotentHint' | 'openWorldHint', boolean>>;
};

/** The error that a host shows for a call that could not be made. */
export type ToolError = {
  readonly toolError: { readonly code: 'invalid_arguments' | 'tool_execution_failed' | 'unknown_tool'; readonly message: string };
};

const TEXTS = { type: 'object', additionalProperties: { type: 'string' } } as const;
const FIELD = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    type: { type: 'string' },
    description: { type: 'string' },
    required: { type: 'boolean' },
    defaultValue: { type: 'string' },
    enumValues: { type: 'array', items: { type: 'string' } },
  },
  required: ['name'],
} as const;
const FIELDS = { type: 'array', items: FIELD } as const;

const KEY =
  'Names the purchase: the same value for the same purchase, also on a retry; another value only to buy a second time. Leave it out if you are not sure.';

const SCHEMAS: Readonly<Record<HarnessToolName, JsonSchema>> = {
  prepare_paid_request: {
    type: 'object',
    properties: {
      url: { type: 'string', description: 'The URL, with its query.' },
      method: { type: 'string', enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'], description: 'GET if left out.' },
      headers: { ...TEXTS, description: 'Request headers. A body that is JSON gets its content-type by itself.' },
      body: { type: 'string', description: 'The body as text; JSON as JSON text.' },
      externalMetadata: {
        type: 'object',
        description: 'What you know from elsewhere about the request: advisory where the merchant says otherwise.',
        properties: {
          description: { type: 'string' },
          requestBodyType: { type: 'string' },
          requestBodyExample: { type: 'string' },
          requestBodyFields: FIELDS,
          requestQueryParams: FIELDS,
          requestPathParams: FIELDS,
          notes: { type: 'array', items: { type: 'string' } },
        },
      },
    },
    required: ['url'],
  },
  execute_prepared_request: {
    type: 'object',
    properties: {
      preparedId: { type: 'string', description: 'Of prepare_paid_request, when its nextAction was execute.' },
      executionContext: {
        type: 'object',
        properties: {
          description: { type: 'string', description: 'What it is bought for.' },
          metadata: TEXTS,
          idempotencyKey: { type: 'string', description: KEY },
        },
      },
    },
    required: ['preparedId'],
  },
  get_execution_result: {
    type: 'object',
    properties: { preparedId: { type: 'string', description: 'Of prepare_paid_request.' } },
    required: ['preparedId'],
  },
};

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true } as const;
/** What hosts show of a tool. Executing spends money once, however often it is called. */
const SHOWN: Readonly<Record<HarnessToolName, Pick<Tool, 'title' | 'annotations'>>> = {
  prepare_paid_request: { title: 'Look up what a request costs', annotations: READS },
  execute_prepared_request: { title: 'Pay for a prepared request', annotations: { ...READS, readOnlyHint: false } },
  get_execution_result: { title: 'Read a result', annotations: { ...READS, openWorldHint: false } },
};

/** The tools, in the order in which they are called. */
export const tools: readonly Tool[] = defaultHarnessToolSpecs.map(({ name, description }) => ({
  name,
  ...SHOWN[name],
  description,
  inputSchema: SCHEMAS[name],
}));

/**
 * Calls a tool by its name. What cannot be called is a result too, which tells the model what to mend. An abort before anything is
 * signed signs nothing.
 */
export async function callTool(harness: AgentHarness, name: string, given: unknown, signal?: AbortSignal): Promise<object> {
  const input = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {};
  try {
    switch (name) {
      case 'prepare_paid_request':
        return await harness.preparePaidRequest(prepareInput(input) as never);
      case 'execute_prepared_request': {
        const { executionContext } = input;
        const context = executionContext === undefined || executionContext === null ? {} : objectOf(executionContext, 'executionContext');
        return await harness.executePreparedRequest({
          preparedId: input['preparedId'] as string,
          executionContext: { ...context, signal },
        });
      }
      case 'get_execution_result':
        return harness.getExecutionResult(input['preparedId'] as string);
      default:
        return failed('unknown_tool', `There is no tool named ${JSON.stringify(name).slice(0, 100)}.`);
    }
  } catch (error) {
    const said = error instanceof Error ? error.message : 'The tool failed.';
    // As a `reason` begins, so that the remedy can be looked up.
    const message = error instanceof FareboxError ? `${error.code}: ${forModel(error).message}` : said;
    return failed(error instanceof Unusable ? 'invalid_arguments' : 'tool_execution_failed', message.slice(0, 1000));
  }
}

/** Whether a result is an error of the call. */
export function isToolError(result: object): result is ToolError {
  return 'toolError' in result;
}

function failed(code: ToolError['toolError']['code'], message: string): ToolError {
  return { toolError: { code, message } };
}

/** Arguments that no request can be made of. */
class Unusable extends Error {}

/**
 * The arguments of prepare. Models put all of the request into `body` at times, and leave out the
 * type of a body that is JSON.
 */
function prepareInput(input: Record<string, unknown>): Record<string, unknown> {
  const { url } = input;
  if (typeof url !== 'string' || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new Unusable('url has to be an http or https URL.');
  let { headers, body, externalMetadata } = input;
  const inside = typeof body === 'string' ? parsed(body) : body;
  if (isObject(inside) && 'body' in inside && Object.keys(inside).every((name) => ENVELOPE.includes(name))) {
    headers ??= inside['headers'];
    externalMetadata ??= inside['externalMetadata'];
    body = inside['body'];
  }
  if (isObject(body) || Array.isArray(body)) body = JSON.stringify(body);
  if (body !== undefined && body !== null && typeof body !== 'string') throw new Unusable('body has to be text; JSON as JSON text.');
  const fields = headers === undefined || headers === null ? {} : objectOf(headers, 'headers');
  for (const [name, value] of Object.entries(fields))
    if (typeof value !== 'string') throw new Unusable(`the header ${JSON.stringify(name)} has to be text.`);
  const isTyped = Object.keys(fields).some((name) => name.toLowerCase() === 'content-type');
  const isJson = typeof body === 'string' && /^\s*[[{]/.test(body) && parsed(body) !== undefined;
  return {
    url,
    ...(input['method'] === undefined || input['method'] === null ? {} : { method: String(input['method']).toUpperCase() }),
    headers: { ...(isJson && !isTyped ? { 'content-type': 'application/json' } : {}), ...fields },
    ...(typeof body === 'string' ? { body } : {}),
    ...(externalMetadata === undefined || externalMetadata === null
      ? {}
      : { externalMetadata: objectOf(externalMetadata, 'externalMetadata') }),
  };
}

const ENVELOPE = ['headers', 'body', 'externalMetadata'];

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  const read = typeof value === 'string' ? parsed(value) : value;
  if (!isObject(read)) throw new Unusable(`${name} has to be an object.`);
  return read;
}

/** A schema as the AI SDK knows its own, and as a Standard Schema, by which its types take it too. */
export type AiSchema = {
  readonly jsonSchema: JsonSchema;
  readonly validate: (value: unknown) => { success: true; value: unknown };
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: 'farebox';
    readonly validate: (value: unknown) => { readonly value: Record<string, unknown> };
    readonly jsonSchema: { readonly input: () => JsonSchema; readonly output: () => JsonSchema };
  };
};

/** A tool as the AI SDK takes it: `generateText({ tools: aiTools(harness) })`. */
export type AiTool = {
  readonly description: string;
  readonly inputSchema: AiSchema;
  readonly execute: (input: unknown, options?: { readonly abortSignal?: AbortSignal | undefined }) => Promise<object>;
};

/** The tools as objects for the AI SDK. Their arguments are checked here, and a wrong one is a result. */
export function aiTools(harness: AgentHarness): Record<HarnessToolName, AiTool> {
  const made = tools.map(({ name, description, inputSchema }): [string, AiTool] => {
    const schema = {
      [AI_SCHEMA]: true,
      [AI_VALIDATOR]: true,
      jsonSchema: inputSchema,
      validate: (value: unknown) => ({ success: true as const, value }),
      '~standard': {
        version: 1 as const,
        vendor: 'farebox' as const,
        validate: (value: unknown) => ({ value: value as Record<string, unknown> }),
        jsonSchema: { input: () => inputSchema, output: () => inputSchema },
      },
    };
    return [name, { description, inputSchema: schema, execute: (input, options) => callTool(harness, name, input, options?.abortSignal) }];
  });
  return Object.fromEntries(made) as Record<HarnessToolName, AiTool>;
}

/** By which the AI SDK knows a schema. */
const AI_SCHEMA = Symbol.for('vercel.ai.schema');
const AI_VALIDATOR = Symbol.for('vercel.ai.validator');
