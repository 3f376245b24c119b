/** The board and the rules to copy: they ask for what a gate shows, and say what the documents say. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { parse } from 'yaml';

import { sectionOf } from '../../scripts/schema.mjs';
import { describedMetrics, metricOf } from '../support/metrics.ts';
import { PLACEHOLDER } from './table.ts';

type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
};
type Panel = {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
};

const FOLDER = 'docs/observability';
const METRICS = describedMetrics();
/** What Prometheus adds to each series, and to a scrape. */
const ADDED = ['instance', 'job'];
const FUNCTIONS = ['sum', 'max', 'increase', 'delta', 'clamp_min', 'predict_linear'];
const WORDS = ['by', 'unless', ...FUNCTIONS];

const { groups } = parse(readFileSync(join(FOLDER, 'alerts.yml'), 'utf8')) as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap(({ rules }) => rules);
const scrape = parse(readFileSync(join(FOLDER, 'prometheus.yml'), 'utf8'));
const board = JSON.parse(readFileSync(join(FOLDER, 'grafana.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
};
const rows = sectionOf(readFileSync('docs/monitoring.md', 'utf8'), '### Alerts')
  .split('\n')
  .filter((line) => line.startsWith('| `Farebox'))
  .map((line) => line.replace(/^\| | \|$/g, '').split(' | '));

/** Seconds of a duration of Prometheus. */
function secondsOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  return Number(count) * ({ s: 1, m: 60, h: 3600, d: 86_400 }[unit] ?? Number.NaN);
}

/** What is wrong with an expression: metrics and labels that no gate shows, and functions that are none. */
function wrongIn(expr: string): readonly string[] {
  const wrong: string[] = [];
  const selectors = [...expr.matchAll(/\b(farebox_\w+|up)(?:\{([^}]*)\})?/g)];
  if (selectors.length === 0) wrong.push('no metric');
  const known = new Set(ADDED);
  for (const [, series = '', matchers = ''] of selectors) {
    const labels = series === 'up' ? [] : METRICS.get(metricOf(series));
    if (labels === undefined) wrong.push(series);
    if (metricOf(series) === series && series === 'farebox_facilitator_seconds') wrong.push(`${series} is no series`);
    for (const label of labels ?? []) known.add(label);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (![...(labels ?? []), ...ADDED].includes(label)) wrong.push(`${series} has no ${label}`);
    }
  }
  for (const [, list = ''] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of list.split(',').map((text) => text.trim())) if (!known.has(label)) wrong.push(`by ${label}`);
  }
  const rest = expr.replace(/"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)/g, '').replace(/\b(farebox_\w+|up)\b/g, '');
  for (const [word] of rest.matchAll(/[a-z_]+/g)) if (!WORDS.includes(word)) wrong.push(word);
  // What only grows is asked for its growth; what goes up and down is not.
  for (const [, call = '', series = ''] of expr.matchAll(/\b(increase|delta|predict_linear)\((farebox_\w+)/g)) {
    const isCounter = /^farebox_(challenges_total|diagnostics_total|facilitator_)/.test(series);
    if ((call === 'increase') !== isCounter) wrong.push(`${call} of ${series}`);
  }
  return wrong;
}

describe('expressions', () => {
  it('are found wrong when they are', () => {
    assert.equal(METRICS.size, 13);
    for (const [expr, wrong] of [
      ['farebox_refund_due > 0', 'farebox_refund_due'],
      ['farebox_payments_total{code="x"}', 'farebox_payments_total has no code'],
      ['sum by (code) (farebox_payments_total)', 'by code'],
      ['sum(rate(farebox_challenges_total[1h]))', 'rate'],
      ['increase(farebox_payments_total[1h])', 'increase of farebox_payments_total'],
      ['sum(farebox_facilitator_seconds)', 'farebox_facilitator_seconds is no series'],
      ['1 > 0', 'no metric'],
    ] as const) {
      assert.deepEqual(wrongIn(expr), [wrong], expr);
    }
  });

  it('ask for metrics and labels that a gate shows, over enough values', () => {
    const every = secondsOf(scrape.scrape_configs[0].scrape_interval);
    const all = [...rules.map(({ expr }) => expr), ...board.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))];
    assert.ok(all.length >= 26, `${all.length}`);
    for (const expr of all) {
      assert.deepEqual(wrongIn(expr), [], expr);
      for (const [, range = ''] of expr.matchAll(/\[(\w+)\]/g)) assert.ok(secondsOf(range) >= 4 * every, expr);
    }
    const asked = new Set(all.flatMap((expr) => [...expr.matchAll(/farebox_\w+/g)].map(([series]) => metricOf(series))));
    assert.deepEqual(
      [...METRICS.keys()].filter((name) => !asked.has(name)),
      [],
      'each metric is on the board or in a rule',
    );
  });
});

describe('alerts', () => {
  it('are those of the document, with what it says', () => {
    assert.deepEqual(
      rules.map(({ alert }) => `\`${alert}\``),
      rows.map(([name]) => name),
    );
    for (const [at, { alert, expr, for: span }] of rules.entries()) {
      const [, when = ''] = rows[at] ?? [];
      const [, said] = /^`([^`]+)`/.exec(when) ?? [];
      // A condition that is written as an expression is the rule's.
      if (said?.includes(' > ')) assert.equal(said, expr, alert);
      if (when.endsWith(' for a day')) assert.equal(span, '1d', alert);
    }
    const written = rows.filter(([, when = '']) => /^`[^`]+ > [^`]+`/.test(when));
    assert.equal(written.length, 4);
  });

  it('say how bad it is, and lead to the heading that says what to do', () => {
    for (const { alert, labels, annotations } of rules) {
      assert.match(labels.severity, /^(info|warning|critical)$/, alert);
      assert.match(annotations.summary, /^[A-Z{].*\.$/, alert);
      const [place, anchor = ''] = annotations.runbook_url.split('#');
      assert.ok(place?.startsWith(`${PLACEHOLDER}/blob/main/docs/`), alert);
      const file = place?.slice(`${PLACEHOLDER}/blob/main/`.length) ?? '';
      assert.ok(existsSync(file), `${alert}: ${file}`);
      const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
        text
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
      assert.ok(headings.includes(anchor), `${alert}: ${file}#${anchor}`);
      const row = rows.find(([name]) => name === `\`${alert}\``)?.[2] ?? '';
      assert.ok(row.includes(`(${file.slice('docs/'.length)}#${anchor})`), `${alert}: ${row}`);
    }
  });

  it('take their rules from the file beside the scrape, which shows a token and leaves no gap', () => {
    const [job, ...others] = scrape.scrape_configs;
    assert.deepEqual([scrape.rule_files, others], [['alerts.yml'], []]);
    assert.deepEqual([job.job_name, job.scheme, job.metrics_path], ['farebox', 'https', '/_farebox/metrics']);
    assert.ok(job.authorization.credentials_file !== undefined && job.authorization.credentials === undefined);
    // After five minutes without a value Prometheus shows a gap.
    assert.ok(secondsOf(job.scrape_interval) < 300 && secondsOf(job.scrape_timeout) < secondsOf(job.scrape_interval));
    assert.ok(rules.some(({ expr }) => expr.includes(`up{job="${job.job_name}"}`)));
  });
});

describe('the board', () => {
  it('has panels that do not cover each other, each with a sentence', () => {
    const ids = board.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const cells = board.panels.flatMap(({ title, gridPos: { x, y, w, h } }) => {
      assert.ok(x + w <= 24, title);
      return Array.from({ length: w * h }, (_, at) => `${x + (at % w)}:${y + Math.floor(at / w)}`);
    });
    assert.equal(new Set(cells).size, cells.length);
    for (const { title, description, datasource } of board.panels) {
      assert.match(description, /^[A-Z].*\.$/, title);
      assert.equal(datasource.uid, '${datasource}', title);
    }
  });

  it('shows each value in its unit', () => {
    const units: Readonly<Record<string, RegExp>> = { s: /_seconds/, decbytes: /_bytes/, percentunit: / \/ /, none: /./ };
    for (const { title, fieldConfig, targets } of board.panels) {
      const { unit } = fieldConfig.defaults;
      assert.ok(units[unit] !== undefined, `${title}: ${unit}`);
      for (const { expr, legendFormat } of targets) {
        assert.match(expr, units[unit] ?? /$^/, title);
        // A quotient of the same kind has no unit of its own, and nothing else has none by mistake.
        if (unit === 'none') assert.ok(!/_seconds|_bytes/.test(expr), title);
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          assert.match(expr, new RegExp(`by \\([^)]*\\b${label}\\b`), title);
      }
    }
  });

  it('lets its reader choose the Prometheus and the gate, by a metric that every gate shows', () => {
    const [source, gate] = board.templating.list;
    assert.deepEqual([source?.name, source?.query, gate?.name], ['datasource', 'prometheus', 'instance']);
    const [, metric = '', label] = /^label_values\((\w+), (\w+)\)$/.exec(gate?.query ?? '') ?? [];
    assert.ok(METRICS.has(metric) && METRICS.get(metric)?.length === 0, metric);
    assert.equal(label, 'instance');
    for (const { title, targets } of board.panels) {
      for (const { expr } of targets) {
        const all = expr.match(/farebox_\w+/g) ?? [];
        const chosen = expr.match(/farebox_\w+\{instance=~"\$instance"/g) ?? [];
        assert.equal(chosen.length, all.length, title);
      }
    }
  });
});
