// What an implementation of the original's interface answers to the cases: short enough to be kept.

import { createHash } from 'node:crypto';

import { type ChallengeCase, challengeCases, type PreparedCase, preparedCases } from './challenge-cases.ts';
import { type SchemaCase, schemaCases } from './schema-cases.ts';

type Schema = { safeParse(value: unknown): { readonly success: boolean; readonly data?: unknown } };
type Prepared = { readonly [part: string]: unknown };
/** The part of the interface that is asked. */
export type Implementation = {
  readonly detectChallengeFromResponse: (response: Response) => Promise<{ readonly [member: string]: unknown } | undefined>;
  readonly createAgentPayClient: (options: never) => {
    preparePaidRequest(url: string, init: RequestInit, options: never): Promise<unknown>;
  };
};

/** The parts of a prepared request that are compared, each by itself. */
export const PARTS = ['kind', 'request', 'paymentRequirement', 'challengeDetails', 'hints', 'issues', 'nextAction'] as const;

/** `-` for a value that a schema refuses, else a digest of what it reads. */
export function readBy(implementation: Implementation, { schema, value }: SchemaCase): string {
  const read = (implementation as unknown as Readonly<Record<string, Schema>>)[schema]?.safeParse(structuredClone(value));
  return read?.success === true ? digest(read.data) : '-';
}

/** `-` for no challenge, else a digest of what is detected. */
export async function detectedBy(implementation: Implementation, given: ChallengeCase): Promise<string> {
  const detected = await implementation.detectChallengeFromResponse(responseOf(given));
  return detected === undefined ? '-' : digest(detected);
}

/** Digests of the parts of a prepared request, or `!` if it cannot be prepared. */
export async function preparedBy(implementation: Implementation, { answer, url, init, external }: PreparedCase): Promise<string> {
  const client = implementation.createAgentPayClient({
    controlPlaneBaseUrl: 'https://plane.example',
    auth: { type: 'runtimeToken', runtimeToken: 'a' },
    organization: 'acme',
    agent: 'buyer',
    fetch: async () => responseOf(answer),
  } as never);
  const options = external === undefined ? {} : { externalMetadata: external };
  try {
    const prepared = (await client.preparePaidRequest(url, init, options as never)) as Prepared;
    return PARTS.map((part) => digest(part === 'issues' ? issuesOf(prepared) : (prepared[part] ?? null))).join(' ');
  } catch {
    return '!';
  }
}

/** Issues without their sentences: those are anyone's own words. */
function issuesOf(prepared: Prepared): unknown {
  const issues = prepared['validationIssues'] as readonly { readonly [member: string]: unknown }[];
  return issues.map(({ message: _, suggestedFix: __, ...rest }) => rest);
}

/** All cases, and one digest of them: answers belong to the cases that they were recorded for. */
export function allCases(): { schemas: SchemaCase[]; challenges: ChallengeCase[]; prepared: PreparedCase[]; digest: string } {
  const cases = { schemas: schemaCases(), challenges: challengeCases(), prepared: preparedCases() };
  return { ...cases, digest: digest(cases) };
}

function responseOf({ status, headers, body }: ChallengeCase): Response {
  return new Response(body, { status, headers: headers.map(([name, value]): [string, string] => [name, value]) });
}

/** The first characters of SHA-256, whatever the order of members is. */
function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('base64url')
    .slice(0, 4);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
