/** Questions to a person or to their wallet: they may take long, and the caller may have given up meanwhile. */

/** The answer to a question; an abort that came before it or while it was awaited is thrown in its place: nothing is signed after one. */
export async function askPerson<T>(signal: AbortSignal | null | undefined, question: () => T | Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  const answer = await question();
  signal?.throwIfAborted();
  return answer;
}
