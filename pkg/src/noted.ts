/** What is noted of a payment once its answer is there. */

/**
 * Notes it. A fault of the store is kept back: the answer is its caller's, and the row stays as it was, so that the next call for the same
 * request shows the same payment. `faulted` hears of it, and throws it where there is no answer to give.
 */
export async function noted<T>(note: () => Promise<T> | T, faulted?: (fault: unknown) => void): Promise<T | undefined> {
  try {
    return await note();
  } catch (fault) {
    faulted?.(fault);
    return undefined;
  }
}
