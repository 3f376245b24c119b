/** Bars of money over days, and shares of a whole: drawn for the eye, with the same figures as text. */

import { draw, make } from './dom.js';

/** A kind of bar: its name for readers, and the class that colours it. */
export interface Series {
  readonly name: string;
  readonly look: string;
}

/** A group of bars, one of each series. */
export interface BarGroup {
  readonly label: string;
  readonly heights: readonly bigint[];
}

/** What a chart is about. */
export interface Chart {
  readonly title: string;
  /** What a group is: `day` if it is left out. */
  readonly each?: string;
  readonly series: readonly Series[];
  readonly groups: readonly BarGroup[];
  readonly write: (units: bigint) => string;
}

const HEIGHT = 100;
const BAR = 10;
const GAP = 8;

/** A bar's share of `of`, in whole parts of `parts`; what is there at all is seen. */
function share(units: bigint, of: bigint, parts: number): number {
  if (units <= 0n || of <= 0n) return 0;
  return Math.max(1, Number((units * BigInt(parts)) / of));
}

function most(groups: readonly BarGroup[]): bigint {
  return (
    groups
      .flatMap(({ heights }) => heights)
      .sort((one, other) => (one < other ? -1 : 1))
      .at(-1) ?? 0n
  );
}

/** Groups of bars beside each other, a legend, and the figures in a table. */
export function barChart(chart: Chart): HTMLElement {
  const { title, series, groups, write } = chart;
  const high = most(groups);
  const step = series.length * BAR + GAP;
  const bars = groups.flatMap(({ label, heights }, at) =>
    heights.map((units, kind) => {
      const height = share(units, high, HEIGHT);
      return draw(
        'rect',
        {
          class: series[kind]?.look,
          x: `${at * step + GAP / 2 + kind * BAR}`,
          y: `${HEIGHT - height}`,
          width: `${BAR - 1}`,
          height: `${height}`,
        },
        draw('title', {}, `${label}, ${series[kind]?.name}: ${write(units)}`),
      );
    }),
  );
  const [first, last] = [groups[0]?.label ?? '', groups.at(-1)?.label ?? ''];
  const summary = `${title}, ${first} to ${last}. The highest bar is ${write(high)}. The figures are in the table below.`;
  return make(
    'figure',
    { class: 'chart' },
    make('figcaption', {}, title, ' ', make('span', { class: 'quiet' }, `highest ${write(high)}`)),
    draw(
      'svg',
      { class: 'bars', role: 'img', 'aria-label': summary, viewBox: `0 0 ${groups.length * step} ${HEIGHT}`, preserveAspectRatio: 'none' },
      ...bars,
    ),
    make('p', { class: 'axis quiet', 'aria-hidden': 'true' }, make('span', {}, first), make('span', {}, last)),
    make('p', { class: 'legend quiet' }, ...series.flatMap(({ name, look }) => [make('span', { class: `key ${look}` }), `${name} `])),
    figures(chart),
  );
}

function figures({ title, each = 'day', series, groups, write }: Chart): HTMLElement {
  return make(
    'details',
    {},
    make('summary', {}, 'The figures'),
    make(
      'div',
      { class: 'wide', tabindex: '0', role: 'region', 'aria-label': `${title}, figures` },
      make(
        'table',
        {},
        make(
          'thead',
          {},
          make('tr', {}, make('th', { scope: 'col' }, each), ...series.map(({ name }) => make('th', { scope: 'col' }, name))),
        ),
        make(
          'tbody',
          {},
          ...[...groups]
            .reverse()
            .map(({ label, heights }) =>
              make('tr', {}, make('th', { scope: 'row' }, label), ...heights.map((units) => make('td', { class: 'number' }, write(units)))),
            ),
        ),
      ),
    ),
  );
}

/** One bar of parts of a whole, for a row of a table whose cells say the same. */
export function shareBar(parts: readonly { readonly units: bigint; readonly look: string }[], whole: bigint): Element {
  let at = 0;
  const drawn = parts.map(({ units, look }) => {
    const width = Math.min(share(units, whole, 1_000), 1_000 - at);
    at += width;
    return draw('rect', { class: look, x: `${at - width}`, y: '0', width: `${width}`, height: '10' });
  });
  return draw('svg', { class: 'share', 'aria-hidden': 'true', viewBox: '0 0 1000 10', preserveAspectRatio: 'none' }, ...drawn);
}
