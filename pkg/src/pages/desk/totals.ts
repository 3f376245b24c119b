/** The money of the last days. A day that is over is read again only now and then: a refund may still change it. */

import { listOf, type Operator } from '../../operator/client.js';
import type { DayTotals } from './overview.js';

const DAYS = 14;
const DAY_MS = 86_400_000;
/** How long a day is shown as it was read, by whether it is the present one. */
const FRESH_MS = { today: 10_000, past: 300_000 };

const known = new Map<string, { at: number; totals: DayTotals }>();

/** Forgets what was read, after something that changes it. */
export function forgetDays(): void {
  known.clear();
}

export async function readDays(operator: Operator): Promise<readonly DayTotals[]> {
  const now = Date.now();
  const days = Array.from({ length: DAYS }, (_, ago) => new Date(now - ago * DAY_MS).toISOString().slice(0, 10)).reverse();
  const read: DayTotals[] = [];
  for (const day of days) {
    const kept = known.get(day);
    const fresh = day === days.at(-1) ? FRESH_MS.today : FRESH_MS.past;
    if (kept !== undefined && now - kept.at < fresh) {
      read.push(kept.totals);
      continue;
    }
    const totals = { day, items: listOf(await operator.read('/_farebox/totals', { day }), 'items') };
    known.set(day, { at: now, totals });
    read.push(totals);
  }
  return read;
}
