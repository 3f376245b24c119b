/** Header fields: as plain objects, as lines for the compiled part, and those that stay at home. */

/** Fields with their names in lower case. */
export type Fields = Record<string, string>;

/** The fields of a request or an answer. */
export function fieldsOf(headers: RequestInit['headers']): Fields {
  return Object.fromEntries(new Headers(headers ?? undefined));
}

/** One `name: value` line each. */
export function linesOf(fields: Readonly<Fields>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${inLine(name)}: ${inLine(value)}\n`)
    .join('');
}

const inLine = (text: unknown): string => String(text).replace(/[\r\n]+/g, ' ');

/** Fields that identify a person or a session: they belong to the merchant and its caller alone. */
const SENSITIVE = ['authorization', 'proxy-authorization', 'cookie', 'cookie2', 'set-cookie', 'set-cookie2'];

/** The fields that may go to a third party: without the sensitive ones, except those in `allowed`. */
export function forwardable(fields: Readonly<Fields>, allowed: readonly string[] = []): Fields {
  const named = allowed.map((name) => name.toLowerCase());
  const stays = (name: string): boolean => SENSITIVE.includes(name.toLowerCase()) && !named.includes(name.toLowerCase());
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !stays(name)));
}
