/** The part of an answer that is read for what it asks or says. */

/** Maximum bytes of a body that is read. */
const MAX_BODY = 64 * 1024;

/** The first 64 KiB of a body that stays readable; a longer or broken one is ignored. */
export async function beginning(response: Response): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = response.clone().body?.getReader();
  while (reader !== undefined) {
    // An answer without its body is still an answer: its status decides.
    const { done, value } = await reader.read().catch(() => ({ done: undefined, value: undefined }));
    if (done === true) break;
    length += value?.length ?? Infinity;
    if (value === undefined || length > MAX_BODY) {
      // Not awaited: it would last until the other copy is read.
      reader.cancel().catch(() => undefined);
      return new Uint8Array();
    }
    pieces.push(value);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
