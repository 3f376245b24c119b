/** Where what is signed for a purchase is charged once: each account has slots of its own, and a slot takes a nonce once. */

/** The slot of what is signed, null if its nonce is not the payer's, and the account that signs it; of what was kept before they are not known. */
export type Placed = { readonly slot?: string | null | undefined; readonly payer?: string | null | undefined };

/** Whether both may be charged. An account that is not known is taken for the same one. */
export function isBeside(mine: Placed, other: Placed): boolean {
  if (typeof mine.slot !== 'string' || mine.slot !== other.slot) return true;
  return Boolean(mine.payer) && Boolean(other.payer) && mine.payer !== other.payer;
}
