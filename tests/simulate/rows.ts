// The ledger's rows as the operator is told of them, and the wait until nothing more becomes of them.

import { eventually, PAY_TO } from '../worker/support/world.ts';
import type { Transfer } from './chain.ts';
import type { World } from './world.ts';

export type Row = {
  readonly id: string;
  readonly state: string;
  readonly payer: string;
  readonly transaction: string | null;
  readonly reason: string | null;
};

/** States in which money that has moved may stay. */
export const ACCOUNTED = ['delivered', 'refund_due', 'manual'];
/** States in which a row may stay where no money has moved; an unknown one ends a while after the payment has. */
const REST = [...ACCOUNTED, 'unknown', 'refused', 'abandoned', 'released', 'void', 'closed'];
const DRAIN_MS = 180_000;

/** All rows of the ledger. */
export async function rowsOf(world: World): Promise<Row[]> {
  const rows: Row[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await world.operator(`payments?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    rows.push(...(page['items'] as Row[]));
    cursor = page['next'] as string | null;
  }
  return rows;
}

/** Transfers to the payee. */
export function paidIn({ chain }: World): Transfer[] {
  return chain.transfers.filter(({ to }) => to === PAY_TO.toLowerCase());
}

/** Waits until no row is being worked on, and every transfer to the payee is in the books. */
export async function drain(world: World): Promise<void> {
  let open: readonly string[] = [];
  const isOver = async (): Promise<boolean> => {
    const rows = await rowsOf(world);
    const counted = new Set(rows.filter(({ state }) => ACCOUNTED.includes(state)).map(({ transaction }) => transaction));
    open = [
      ...rows.filter(({ state }) => !REST.includes(state)).map((row) => JSON.stringify(row)),
      ...paidIn(world)
        .filter(({ hash }) => !counted.has(hash))
        .map(({ hash, from }) => `${hash} by ${from} is in no row`),
    ];
    return open.length === 0;
  };
  await eventually('rest of every row', isOver, DRAIN_MS).catch((error: unknown) => {
    throw new Error(`not at rest: ${open.join(', ')}`, { cause: error });
  });
}
