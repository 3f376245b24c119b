/** The report of the bench in docs/bench is made of its figures alone, and README shows a chart of it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { chart } from '../../scripts/bench/chart.mjs';
import { reportOf } from '../../scripts/bench/report.mjs';

const FOLDER = 'docs/bench';

test('each file of docs/bench is what its figures say', () => {
  const files = reportOf(JSON.parse(readFileSync(join(FOLDER, 'figures.json'), 'utf8')));
  assert.deepEqual(readdirSync(FOLDER).sort(), [...files.keys()].sort());
  for (const [name, content] of files) assert.equal(readFileSync(join(FOLDER, name), 'utf8'), content, name);
  assert.ok(readFileSync('README.md', 'utf8').includes(`${FOLDER}/requests.svg`), 'README shows the chart of requests');
});

test('a chart has a bar from 1× to each median, on a logarithmic axis, and text of others in it is text', () => {
  const line = (scenario: string, median: number) => ({
    ...{ scenario, unit: 'µs', ours: 1, theirs: 1, peer: 'a <peer> & "more"', goal: '', met: null },
    ratio: { median, least: median / 2, greatest: median * 2 },
  });
  const drawn = chart('title', [line('half, processor', 0.5), line('double, processor', 2)]);
  const bars = [...drawn.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g)].map(
    ([, x, width]) => [Number(x), Number(width)] as const,
  );
  assert.equal(bars.length, 2);
  const [[left = 0, down = 0] = [], [right = 0, up = 0] = []] = bars;
  assert.ok(Math.abs(down - up) < 0.2, 'half and double are equally far');
  assert.ok(Math.abs(left + down - right) < 0.2, 'both bars meet at 1×');
  assert.ok(!drawn.includes('<peer>') && drawn.includes('a &lt;peer&gt; &amp; &quot;more&quot;'));
});
