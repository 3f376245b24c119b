/** The costs that the documents name are those that the bench has measured; `tests/worker/writes.test.ts` counts the rows again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { costSection, freePlan, measuredCosts } from '../../scripts/costs.mjs';

const measured = measuredCosts();
const page = (name: string): string => readFileSync(`docs/${name}.md`, 'utf8');

describe('the cost of a paid call', () => {
  it('is in docs/deploy.md as scripts/costs.mjs computes it', () => {
    assert.ok(page('deploy').includes(costSection(measured)), costSection(measured));
    assert.ok(page('deploy').includes(freePlan(measured)), freePlan(measured));
  });

  it('is computed as by hand', () => {
    const example = {
      ...measured,
      calls: 3,
      rows: { after: 4, before: 3, stream: 5, response: 1, payment: 1 },
      bytes: { open: 4_000, settled: 1_000 },
    };
    const section = costSection(example);
    // Beyond what is included: 0.60 for requests, 0.06 for CPU, 0.45 for objects, 6.00 for rows, 0.02 for duration, 2.63 for storage.
    assert.match(section, /a million paid calls cost \$9\.76\./);
    assert.ok(section.includes('| 1 million | 0 | 0 | $0.30 | 0 | 0 | $1.63 | about $6.93 | $999 |'), section);
    assert.ok(section.includes('| 1,000 million | $597 | $59 | $450 | $5,950 | $18 | $2,631 | about $9,710 | $999,999 |'), section);
    assert.equal(freePlan(example), 'about 16,600\npaid calls a day');
  });

  it('is the same in docs/design.md and docs/upkeep.md', () => {
    const { rows, bytes } = measured;
    assert.equal(rows.after, rows.before);
    assert.ok(page('design').includes(`| paid | 6 / 5 | ${rows.after}: `));
    assert.ok(page('design').includes(`| paid, streamed | one more object call, and one every 20 s | ${rows.stream} |`));
    assert.ok(page('upkeep').includes(`${rows.response} row written for a response that goes, ${rows.payment} for a payment`));
    assert.ok(page('upkeep').includes(`${bytes.settled} bytes on the disk`));
    assert.ok(page('upkeep').includes(`${bytes.open} bytes before`));
  });
});
