/** The part of an answer that is read for what it asks or says: never without an end, in bytes or in time. */
import { timerMs } from './timer.js';

/** Maximum bytes of a body that is read. */
const MAX_BODY = 64 * 1024;
/** How long it may take, milliseconds. */
const MAX_MS = 10_000;

/** The part of a body that was read, and why no more: it ended, it is longer, it broke off, or it took too long. */
export type Read = { readonly bytes: Uint8Array<ArrayBuffer>; readonly end: 'whole' | 'longer' | 'broken' | 'late' };

/** The first 64 KiB of a body that stays readable; a longer, slow or broken one is ignored. */
export async function beginning(response: Response): Promise<Uint8Array> {
  const { bytes, end } = await readWithin(response.clone(), MAX_BODY, MAX_MS);
  return end === 'whole' ? bytes : new Uint8Array();
}

/** A body up to so many bytes and milliseconds. What follows is not wanted. */
export async function readWithin(response: Response, most: number, milliseconds: number): Promise<Read> {
  const reader = response.body?.getReader();
  if (reader === undefined) return { bytes: new Uint8Array(), end: 'whole' };
  const pieces: Uint8Array[] = [];
  let length = 0;
  let end: Read['end'] | undefined;
  // Not awaited: it would last until another copy is read. What is being read ends with it.
  const stop = (): void => {
    reader.cancel().catch(() => undefined);
  };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stop();
  }, timerMs(milliseconds));
  while (end === undefined) {
    // An answer without its body is still an answer: its status decides.
    const next = await reader.read().catch(() => undefined);
    if (isLate) end = 'late';
    else if (next === undefined) end = 'broken';
    else if (next.done) end = 'whole';
    else {
      pieces.push(next.value.subarray(0, Math.max(0, most - length)));
      length += next.value.length;
      if (length > most) end = 'longer';
    }
  }
  clearTimeout(timer);
  if (end === 'longer') stop();
  const bytes = new Uint8Array(Math.min(length, most));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { bytes, end };
}
