/** The money of the last days. A day that is over is read again only now and then: a refund may still change it. */

import { itemsOf, type Operator } from '../../operator/client.js';
import type { DayTotals } from './overview.js';

const DAYS = 14;
const DAY_MS = 86_400_000;
/** How long a day is shown as it was read, by whether it is the present one. */
const FRESH_MS = { today: 10_000, past: 300_000 };

type Known = Map<string, { at: number; totals: DayTotals }>;
let known: Known = new Map();
/** The read that is under way. */
let reading: Promise<readonly DayTotals[]> | undefined;
/** What was read last, whole. */
let last: readonly DayTotals[] | undefined;

/** Forgets what was read, after something that changes it; what is being read may be of before. */
export function forgetDays(): void {
  known = new Map();
  reading = undefined;
}

/** The days as they were read last, to be shown until they are read again. */
export function lastDays(): readonly DayTotals[] | undefined {
  return last;
}

/** The days with their totals. Whoever asks while they are read waits for the same read. */
export function readDays(operator: Operator): Promise<readonly DayTotals[]> {
  if (reading !== undefined) return reading;
  const mine = readEach(operator, known).finally(() => {
    if (reading === mine) reading = undefined;
  });
  reading = mine;
  return mine;
}

async function readEach(operator: Operator, kept: Known): Promise<readonly DayTotals[]> {
  const now = Date.now();
  const days = Array.from({ length: DAYS }, (_, ago) => new Date(now - ago * DAY_MS).toISOString().slice(0, 10)).reverse();
  const read: DayTotals[] = [];
  for (const day of days) {
    const one = kept.get(day);
    const fresh = day === days.at(-1) ? FRESH_MS.today : FRESH_MS.past;
    if (one !== undefined && now - one.at < fresh) {
      read.push(one.totals);
      continue;
    }
    const totals = { day, items: itemsOf(await operator.read('/_farebox/totals', { day })) };
    // What was forgotten meanwhile is read again, and not beside this.
    if (kept !== known) return readDays(operator);
    kept.set(day, { at: now, totals });
    read.push(totals);
  }
  last = read;
  return read;
}
