/** The metrics of a gate as docs/monitoring.md lists them: the names and labels that rules, board and gate agree on. */
import { readFileSync } from 'node:fs';

import { sectionOf } from '../../scripts/schema.mjs';

/** The labels of each metric by its name, in the order in which they are described. */
export function describedMetrics(): Map<string, readonly string[]> {
  const rows = sectionOf(readFileSync('docs/monitoring.md', 'utf8'), '## Metrics')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const names = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(farebox_\w+)(?:\{([\w,]+)\})?`/g)]);
  return new Map(names.map(([, name = '', labels]) => [name, labels === undefined ? [] : labels.split(',')]));
}

/** The name that a series is described by: a summary has two. */
export function metricOf(series: string): string {
  return series.replace(/(?<=^farebox_facilitator_seconds)_(?:sum|count)$/, '');
}

/** The labels of each metric that a text in Prometheus's format has, by its name; none where there is no series yet. */
export function exposedMetrics(text: string): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const line of text.trimEnd().split('\n')) {
    const [, described] = /^# TYPE (\w+) /.exec(line) ?? [];
    if (described !== undefined) found.set(described, []);
    const [, series = '', labels = ''] = /^(farebox_\w+)(?:\{(.*)\})? [\d.]+$/.exec(line) ?? [];
    if (series !== '')
      found.set(
        metricOf(series),
        [...labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label = '']) => label),
      );
  }
  return found;
}
