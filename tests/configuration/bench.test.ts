/** The report of the bench in docs/bench is made of its figures alone, and README shows a chart of it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { chart } from '../../scripts/bench/chart.mjs';
import { reportOf } from '../../scripts/bench/report.mjs';
import { PAGE, servedTable, withTable } from '../../scripts/bench/served.mjs';

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

test('what one machine holds is a table in its own place, with a ratio for each peer', () => {
  const lines = [
    {
      what: 'paid',
      unit: 'requests/s',
      ours: 1_234.4,
      peer: '@x402/express',
      theirs: 2_400,
      ratio: { median: 0.514, least: 0.5, greatest: 0.6 },
    },
    { what: 'memory', unit: 'MB', ours: 215, peer: 'workerd', theirs: 58 },
  ];
  const table = servedTable(lines, 'a machine');
  assert.ok(table.includes('| a paid request, requests/s | 1,234 | 2,400 by `@x402/express` | 0.51 (0.50–0.60) |\n'), table);
  assert.ok(table.includes('| memory under load, MB | 215 | 58 by a bare `workerd` | 3.71 |\n'), table);
  const page = readFileSync(PAGE, 'utf8');
  const once = withTable(page, table);
  assert.ok(once.includes(table) && once.includes('## What one machine holds') && once.includes('## To Cloudflare'));
  assert.equal(withTable(once, 'another\n').length, once.length - table.length + 'another\n'.length);
  assert.throws(() => withTable('no place', table));
});
