/**
 * Puts a fresh payment into a header value of the vectors without touching how the value is spelled.
 *
 * A fresh signature, nonce, address and time have as many characters as those in the vectors, so replacing them
 * keeps every offset. Values that are no plain spelling of some bytes are matched against their nearest plain
 * relative, and the same edit is made to the fresh one. What can still not be matched stays as it is.
 */
export type Swap = readonly (readonly [old: string, fresh: string])[];

type Codec = { readonly decode: (text: string) => Buffer; readonly encode: (bytes: Buffer) => string };

const CODECS: readonly Codec[] = [
  { decode: (text) => Buffer.from(text, 'base64'), encode: (bytes) => bytes.toString('base64') },
  { decode: (text) => Buffer.from(text, 'base64'), encode: (bytes) => bytes.toString('base64').replace(/=+$/, '') },
  { decode: (text) => Buffer.from(text, 'base64url'), encode: (bytes) => bytes.toString('base64url') },
  { decode: (text) => Buffer.from(text, 'base64url'), encode: (bytes) => padded(bytes.toString('base64url')) },
  { decode: (text) => Buffer.from(text, 'hex'), encode: (bytes) => bytes.toString('hex') },
];

/** The value with the swaps made inside, or `undefined` when none could be. */
export function respell(value: string, swaps: Swap, relatives: readonly string[]): string | undefined {
  const plain = respellPlain(value, swaps);
  if (plain !== undefined) return plain;
  let replaced = value;
  for (const relative of [...relatives].sort((a, b) => b.length - a.length)) {
    const fresh = respellPlain(relative, swaps);
    if (fresh !== undefined) replaced = replaced.replaceAll(relative, fresh);
  }
  if (replaced !== value) return replaced;
  return withSameEdit(value, swaps, relatives);
}

function respellPlain(value: string, swaps: Swap): string | undefined {
  const inText = swapped(value, swaps);
  if (inText !== value) return inText;
  for (const codec of CODECS) {
    const bytes = codec.decode(value);
    if (bytes.length === 0 || codec.encode(bytes) !== value) continue;
    const fresh = swappedBytes(bytes, swaps) ?? nested(bytes, swaps);
    if (fresh !== undefined) return codec.encode(fresh);
  }
  return undefined;
}

function swappedBytes(bytes: Buffer, swaps: Swap): Buffer | undefined {
  for (const encoding of ['latin1', 'utf16le'] as const) {
    const text = bytes.toString(encoding);
    const fresh = swapped(text, swaps);
    if (fresh !== text) return Buffer.from(fresh, encoding);
  }
  return undefined;
}

/** Something encoded twice. */
function nested(bytes: Buffer, swaps: Swap): Buffer | undefined {
  const text = bytes.toString('latin1');
  if (!/^[A-Za-z0-9+/]{200,}={0,2}$/.test(text)) return undefined;
  const inner = respellPlain(text, swaps);
  return inner === undefined ? undefined : Buffer.from(inner, 'latin1');
}

/** The value differs from a relative in one place: head and tail come from the fresh relative, the middle stays. */
function withSameEdit(value: string, swaps: Swap, relatives: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestShared = 0;
  for (const relative of relatives) {
    const fresh = respellPlain(relative, swaps);
    if (fresh === undefined || fresh.length !== relative.length) continue;
    const limit = Math.min(value.length, relative.length);
    let head = 0;
    while (head < limit && value[head] === relative[head]) head += 1;
    let tail = 0;
    while (tail < limit - head && value.at(-1 - tail) === relative.at(-1 - tail)) tail += 1;
    if (head + tail <= bestShared || head + tail < relative.length * 0.9) continue;
    bestShared = head + tail;
    best = fresh.slice(0, head) + value.slice(head, value.length - tail) + fresh.slice(fresh.length - tail);
  }
  return best;
}

function swapped(text: string, swaps: Swap): string {
  return swaps.reduce((current, [old, fresh]) => current.replaceAll(old, fresh), text);
}

function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}
