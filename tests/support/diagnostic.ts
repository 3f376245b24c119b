/** The diagnostic extension of an answer, held against its published schema by a standard validator. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { Ajv2020 } from 'ajv/dist/2020.js';

export type Diagnostic = {
  readonly code: string;
  readonly message: string;
  readonly suggestion: string;
  readonly escalate: boolean;
  readonly attempts?: number;
  readonly firstAttempt?: string;
  readonly reason?: string;
  readonly correlationId: string;
};

export const SCHEMA = JSON.parse(readFileSync('crates/wire/src/x402/extension/diagnostic.json', 'utf8')) as {
  readonly properties: { readonly info: object };
};

const ajv = new Ajv2020({ strict: true, formats: { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ } });
const isExtension = ajv.compile(SCHEMA);

type Seen = { readonly headers: Readonly<Record<string, string>>; readonly text: string };

/** What an answer says, in header and body alike; fails where it says something that its schema does not allow. */
export function diagnosticIn({ headers, text }: Seen): Diagnostic | undefined {
  const header = headers['payment-required'];
  const told = header === undefined ? undefined : extensionIn(Buffer.from(header, 'base64').toString('utf8'));
  const json = /json/.test(headers['content-type'] ?? '');
  const body = json ? extensionIn(text) : told;
  if (header !== undefined) assert.deepEqual(told, body, 'header and body say the same');
  const extension = told ?? body;
  if (extension === undefined) return undefined;
  assert.ok(isExtension(extension), ajv.errorsText(isExtension.errors));
  const { info, schema } = extension as { info: Diagnostic; schema: object };
  assert.deepEqual(schema, SCHEMA.properties.info, 'the schema that goes along is that of info');
  assert.equal(info.correlationId, headers['x-correlation-id']);
  return info;
}

function extensionIn(text: string): object | undefined {
  try {
    return (JSON.parse(text) as { extensions?: { diagnostic?: object } } | null)?.extensions?.diagnostic;
  } catch {
    return undefined;
  }
}
