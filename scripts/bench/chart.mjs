// A chart of ratios: a bar from 1× to each median, and a line from the least to the greatest quotient of the rounds.

const [WIDTH, LABEL, PLOT, ROW, TOP, BOTTOM] = [880, 360, 440, 26, 48, 34];
/** Powers of two at both ends of the axis, at least. */
const [LEAST, MOST] = [-2, 2];

/**
 * Draws it, for light and dark pages. The axis is logarithmic: half and double are equally far from 1×.
 *
 * @param {string} title
 * @param {import('./scenarios.mjs').Line[]} lines each with a ratio
 * @returns {string} SVG
 */
export function chart(title, lines) {
  const ratios = lines.flatMap(({ ratio }) => (ratio === undefined ? [] : [ratio.least, ratio.greatest]));
  const powers = ratios.filter((ratio) => ratio > 0).map(Math.log2);
  const [least, most] = [Math.min(LEAST, Math.floor(Math.min(...powers))), Math.max(MOST, Math.ceil(Math.max(...powers)))];
  const at = (/** @type {number} */ ratio) => {
    const power = Math.min(most, Math.max(least, Math.log2(Math.max(ratio, 2 ** least))));
    return (LABEL + ((power - least) / (most - least)) * PLOT).toFixed(1);
  };
  const height = TOP + lines.length * ROW + BOTTOM;
  const ticks = Array.from({ length: most - least + 1 }, (_, index) => least + index).map((power) => {
    const x = at(2 ** power);
    return [
      `<line class="${power === 0 ? 'one' : 'grid'}" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${height - BOTTOM}"/>`,
      `<text class="tick" x="${x}" y="${height - 12}">${power < 0 ? `1/${2 ** -power}` : 2 ** power}×</text>`,
    ].join('');
  });
  const rows = lines.map(({ scenario, peer, ratio }, index) => {
    if (ratio === undefined) return '';
    const y = TOP + index * ROW;
    const [one, median] = [Number(at(1)), Number(at(ratio.median))];
    const name = `${scenario.replace(/, (?:processor|time)$/, '')}, beside ${peer ?? ''}`;
    return [
      `<g><title>${text(`${name}: ${ratio.median.toFixed(2)}× (${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`)}</title>`,
      `<text class="name" x="${LABEL - 10}" y="${y + 15}">${text(name)}</text>`,
      `<rect x="${Math.min(one, median).toFixed(1)}" y="${y + 4}" width="${Math.max(Math.abs(median - one), 1.5).toFixed(1)}" height="${ROW - 10}"/>`,
      `<line class="spread" x1="${at(ratio.least)}" x2="${at(ratio.greatest)}" y1="${y + ROW / 2 - 1}" y2="${y + ROW / 2 - 1}"/>`,
      `<text class="value" x="${LABEL + PLOT + 12}" y="${y + 15}">${ratio.median.toFixed(2)}×</text></g>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${text(title)}">
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${height}"/>
<text class="title" x="16" y="24">${text(title)}</text>
${ticks.join('\n')}
${rows.join('\n')}
</svg>
`;
}

const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #1f2328; } .title { font-weight: 600; font-size: 15px; }
.name { text-anchor: end; } .tick { text-anchor: middle; fill: #59636e; font-size: 12px; } .value { font-variant-numeric: tabular-nums; }
.page { fill: #ffffff; } rect { fill: #0969da; } .grid { stroke: #d1d9e0; } .one { stroke: #1f2328; stroke-width: 1.5; } .spread { stroke: #bc4c00; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .tick { fill: #9198a1; } .page { fill: #0d1117; } rect { fill: #4493f8; } .grid { stroke: #3d444d; } .one { stroke: #f0f6fc; } .spread { stroke: #f0883e; }
}
`;

/** @param {string} value */
const text = (value) => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
