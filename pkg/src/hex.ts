/** Bytes as hexadecimal text, two digits each. */
export function hexOf(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A random name, 128 bits. */
export function drawn(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(16)));
}
