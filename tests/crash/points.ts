// The moments at which workerd is killed, and what the row says at each.

import { EXPECTED } from './expected.ts';
import type { MessageName, Moment, When } from './switchboard.ts';

export type Mode = 'after' | 'before';

/** A moment in the life of one payment. */
export interface Point {
  readonly name: string;
  /** What is stopped; for moments after a message it goes on at once, and so does the kill. */
  readonly message: MessageName;
  readonly when: When;
  /** The payer's client has the head of its answer, or the first bytes of a stream, when the kill comes. */
  readonly client?: 'head' | 'bytes';
  /** What is stopped next, where it would follow at once. */
  readonly then?: MessageName;
  /** A message that is lost on the way to this point. */
  readonly loses?: MessageName;
  /** The facilitator sends one transaction at a time: only one payment can be here. */
  readonly alone?: boolean;
  /** States in which the row may be; a mode without any does not come here. */
  readonly states: Partial<Record<Mode, readonly string[]>>;
}

const both = (...states: string[]): Point['states'] => ({ after: states, before: states });

const POINTS: readonly Point[] = [
  ...at('verify.request', { after: ['executing'] }),
  ...at('verify.reply', { after: ['executing'] }),
  ...at('origin.request', { after: ['executing'], before: ['delivering'] }),
  point('origin.head', 'before', { after: ['executing'], before: ['delivering'] }),
  { ...point('origin.head', 'after', { after: ['executing'], before: ['delivering'] }), then: 'origin.end' },
  point('origin.end', 'before', { after: ['executing'], before: ['delivering'] }),
  point('origin.end', 'after', { after: ['executing', 'settling'], before: ['delivering', 'delivered'] }),
  ...at('settle.request', both('settling')),
  { ...point('chain.request', 'before', both('settling')), alone: true },
  { ...point('chain.reply', 'before', both('settling')), alone: true },
  point('settle.reply', 'before', both('settling')),
  point('settle.reply', 'after', { after: ['settling', 'delivered'], before: ['settling', 'delivering'] }),
  { name: 'answer, head', message: 'origin.end', when: 'after', client: 'head', states: both('delivered') },
  { name: 'stream, first bytes', message: 'origin.end', when: 'before', client: 'bytes', states: both('delivering') },
];

/** The gate's own reads of the chain, after a settle reply was lost. */
const CHAIN_READS: readonly Point[] = (['rpc.request', 'rpc.reply'] as const)
  .flatMap((message) => at(message, both('unknown')))
  .map((each) => ({ ...each, loses: 'settle.reply' as const }));

/** All moments of a mode. */
export function pointsOf(mode: Mode): readonly Point[] {
  const all = EXPECTED.gateReadsChain ? [...POINTS, ...CHAIN_READS] : POINTS;
  return all.filter(({ states }) => states[mode] !== undefined);
}

/** Where further payments of the same kill may wait: messages that can be stopped for many at once. */
export function parkingOf(mode: Mode): readonly Point[] {
  return POINTS.filter(
    ({ when, client, alone, states }) => when === 'before' && client === undefined && alone !== true && states[mode] !== undefined,
  );
}

/** The states that a row may be in when this was the last moment of a payment that nothing stopped. */
export function statesSince(mode: Mode, last: Moment | undefined): readonly string[] {
  if (last === undefined) return mode === 'after' ? ['absent', 'executing'] : ['absent', 'settling'];
  if (last.name.startsWith('verify')) return ['executing'];
  if (last.name === 'origin.end') return mode === 'after' ? ['executing', 'settling'] : ['delivering', 'delivered'];
  if (last.name.startsWith('origin')) return mode === 'after' ? ['executing'] : ['delivering'];
  if (last.name === 'settle.reply') return mode === 'after' ? ['settling', 'delivered'] : ['settling', 'delivering'];
  return ['settling'];
}

function point(message: MessageName, when: When, states: Point['states']): Point {
  return { name: `${when} ${message}`, message, when, states };
}

function at(message: MessageName, states: Point['states']): Point[] {
  return [point(message, 'before', states), point(message, 'after', states)];
}
