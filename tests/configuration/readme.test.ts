/** README is one short page: what you write and what callers get, whom it is for, and where each reader goes on. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

const LINES = 150;

describe('README', () => {
  const text = readFileSync('README.md', 'utf8');
  const section = (heading: string): string => text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const bullets = (heading: string): string[] => section(heading).match(/^- \*\*[^*]+\*\*/gm) ?? [];
  const block = (language: string): string[] => (new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, 's').exec(text)?.[1] ?? '').split('\n');

  it(`has at most ${LINES} lines`, () => {
    assert.ok(text.trimEnd().split('\n').length <= LINES);
  });

  it('begins with what is written in three lines, and what callers get for it', () => {
    assert.deepEqual(
      block('toml').map((line) => line.split(' ')[0]),
      ['PAY_TO', 'ORIGIN_URL', 'ROUTES'],
    );
    assert.deepEqual(
      block('text').map((line) => /→ {2}(\d{3}) /.exec(line)?.[1]),
      ['402', '200'],
    );
    assert.ok(text.indexOf('```text') < text.indexOf('\n## '));
  });

  it('gives five guarantees, and says who should take something else', () => {
    assert.equal(bullets('What it guarantees').length, 5);
    const others = section('Who it is for').match(/^\| [^|]+/gm) ?? [];
    for (const other of ['x402', 'mppx', 'aperture', "Cloudflare's", 'Stripe'])
      assert.equal(others.filter((row) => row.includes(other)).length, 1, other);
  });

  it('has a way to begin on any machine, on Cloudflare, from an example and from a clone', () => {
    const begin = section('Begin');
    for (const way of ['farebox serve --origin', 'farebox -- init', 'examples/README.md', 'npm run demo'])
      assert.ok(begin.includes(way), way);
  });

  it('leads who sells, pays, runs agents, trades, operates and builds on, and shows what people see', () => {
    assert.deepEqual(
      bullets('Read on').map((bullet) => bullet.slice(4, -2)),
      ['To sell', 'To pay', 'Agents', 'Markets', 'To operate', 'To build'],
    );
    const pictures = [...text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path = '']) => path);
    assert.ok(pictures.length >= 1);
    for (const path of pictures) assert.ok(existsSync(path), path);
  });
});
