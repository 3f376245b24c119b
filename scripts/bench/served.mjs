// The part of docs/serve.md that says what one machine holds, from what `npm run bench:serve` has measured.

/**
 * A measurement beside one of another program.
 *
 * @typedef {object} Line
 * @property {string} what
 * @property {string} unit
 * @property {number} ours
 * @property {string} peer
 * @property {number} theirs
 * @property {{median: number, least: number, greatest: number}} [ratio] ours by theirs
 */

/** Where it stands. */
export const PAGE = 'docs/serve.md';
const [FIRST, LAST] = ['<!-- npm run bench:serve -- --write -->\n', '<!-- end of the bench -->'];

/** @type {Record<string, string>} */
const WORDS = { free: 'a free path', asked: 'a 402', paid: 'a paid request', memory: 'memory under load' };

/**
 * The table, and the machine that it is of.
 *
 * @param {readonly Line[]} lines
 * @param {string} machine
 */
export function servedTable(lines, machine) {
  const number = (/** @type {number} */ value) => Math.round(value).toLocaleString('en-US');
  const rows = lines.map(({ what, unit, ours, peer, theirs, ratio }) => {
    const quotient =
      ratio === undefined
        ? (ours / theirs).toFixed(2)
        : `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)}–${ratio.greatest.toFixed(2)})`;
    return `| ${WORDS[what] ?? what}, ${unit} | ${number(ours)} | ${number(theirs)} by ${peer === 'workerd' ? 'a bare `workerd`' : `\`${peer}\``} | ${quotient} |\n`;
  });
  return `| what | \`farebox serve\` | beside it | ratio |\n|---|---|---|---|\n${rows.join('')}\nMeasured by \`npm run bench:serve\` (${machine}); a ratio is the median of its rounds, with their range.\n`;
}

/**
 * The page with another table in its place.
 *
 * @param {string} page
 * @param {string} table
 */
export function withTable(page, table) {
  const [before, rest = '', ...others] = page.split(FIRST);
  const [, after, ...more] = rest.split(LAST);
  if (after === undefined || others.length + more.length > 0) throw new Error(`${PAGE} has no one place for what is measured`);
  return `${before}${FIRST}${table}${LAST}${after}`;
}
