/** Bodies that can be sent again, byte for byte. */

/** Text, or a form. */
export type ReplayableRequestBody = string | URLSearchParams;

/** Whether a body can be sent again. */
export function isReplayableRequestBody(body: RequestInit['body']): body is ReplayableRequestBody {
  return typeof body === 'string' || body instanceof URLSearchParams;
}

/** A body as text; none for none. Throws for bodies that can be read once. */
export function toReplayableRequestBody(body: RequestInit['body']): string | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  const kind = (body as { constructor?: { name?: unknown } }).constructor?.name;
  throw new TypeError(
    `A request body of type ${typeof kind === 'string' && kind !== '' ? kind : typeof body} cannot be sent again with a payment. ` +
      'Pass a string or URLSearchParams: createJsonRequestBody and createFormUrlEncodedBody make them.',
  );
}

/** A JSON body. */
export function createJsonRequestBody(payload: unknown): string {
  return JSON.stringify(payload);
}

type FormUrlEncodedValue = string | number | boolean;
type FormUrlEncodedBodyInit = Record<string, FormUrlEncodedValue | readonly FormUrlEncodedValue[]>;

/** A form; a list repeats its key. */
export function createFormUrlEncodedBody(values: FormUrlEncodedBodyInit): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? (value as readonly FormUrlEncodedValue[]) : [value as FormUrlEncodedValue])
      form.append(name, String(one));
  }
  return form;
}
