/** Amounts of money, as decimal text and in minor units. */
import * as wasm from '#agent-wasm';

import { choice, digits, type Infer, number, object, text } from '../schema.js';

/** Fraction digits of amounts that name none. */
export const defaultMoneyPrecision = 6;

/** Minor units of a decimal amount; throws if it is none, or has more decimals than the precision. */
export function monetaryAmountToMinorUnits(amount: string, precision: number): string {
  if (!Number.isInteger(precision) || precision < 0 || precision > 0xffff_ffff) throw new RangeError('Invalid money precision.');
  try {
    return wasm.toMinorUnits(String(amount), precision);
  } catch (error) {
    throw typeof error === 'string' ? new Error(error) : error;
  }
}

export const monetaryAmountSchema = text({ pattern: /^\d+(\.\d+)?$/ });
/** A symbol, an address or a mint. */
export const currencyCodeSchema = text({ pattern: /^([A-Z0-9_-]{3,10}|0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ });
export const moneyUnitSchema = choice('minor');
export const normalizedMoneySchema = object({
  asset: currencyCodeSchema,
  amount: monetaryAmountSchema,
  amountMinor: digits(),
  precision: number({ min: 0, max: 6, whole: true }),
  unit: moneyUnitSchema,
}).refine(
  ({ amount, amountMinor, precision }) =>
    (amount.split('.')[1] ?? '').length === precision && monetaryAmountToMinorUnits(amount, precision) === amountMinor,
  'Monetary amount and minor units must agree.',
);
export type NormalizedMoney = Infer<typeof normalizedMoneySchema>;
