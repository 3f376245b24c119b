/** Room in the record for what is about to be signed: what cannot be kept does not leave, and would be counted all the same. */
import { admitSent, type SentRow, withoutSent } from './sent.js';
import type { Store } from './store.js';

/** A row as long as the one that will be kept, and the key of the one that gives way to it. */
type Room = { readonly row: SentRow; readonly replaces: string | undefined };

/** What this process has asked room for and has not kept yet: of many calls at once each has its own. */
const held = new WeakMap<Store, Map<object, Room>>();

/** Holds room for a row until {@link freeRoom}, or refuses: then nothing is to be signed. */
export async function holdRoom(store: Store, owner: object, row: SentRow, replaces?: string): Promise<void> {
  const { record } = await store.read();
  const all = held.get(store) ?? new Map<object, Room>();
  const others = [...all].filter(([of]) => of !== owner).map(([, it]) => it);
  const rooms = [...others, { row, replaces }];
  const left = rooms.reduce((rest, room) => (room.replaces === undefined ? rest : withoutSent(rest, room.replaces)), record);
  admitSent(
    left,
    rooms.map((room) => room.row),
  );
  all.set(owner, { row, replaces });
  held.set(store, all);
}

/** Lets go of what an owner holds: it was kept, or will not be. */
export function freeRoom(store: Store, owner: object): void {
  held.get(store)?.delete(owner);
}
