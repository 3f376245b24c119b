/** Each attack of docs/security/attacks.md has a test, or a reason; the page names the tests as they are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { fillPage, marksOf, PAGE, readMarks } from '../../scripts/attacks.mjs';

/** The ids of rows whose cells are not those of their table's header, each with something in it. */
function misshapenIn(page: string): string[] {
  let columns = 0;
  return page.split('\n').flatMap((line) => {
    const [id = '', ...cells] = line.replace(/^\| (.*) \|$/, '$1').split(' | ');
    if (id === 'id') columns = cells.length;
    return /^[AI]-\d+$/.test(id) && (cells.length !== columns || cells.includes('')) ? [id] : [];
  });
}

describe('attacks by number', () => {
  it('are in the page with the tests that are marked: run `node scripts/attacks.mjs` if not', () => {
    const page = readFileSync(PAGE, 'utf8');
    const rows = fillPage(page, readMarks()).split('\n');
    assert.deepEqual(
      page.split('\n').filter((row, at) => row !== rows[at]),
      [],
    );
  });

  it('are numbered without a gap', () => {
    const ids = [...readFileSync(PAGE, 'utf8').matchAll(/^\| ([AI])-(\d+) \|/gm)].map(([, kind, number]) => [kind, Number(number)]);
    for (const [kind, least] of [
      ['A', 208],
      ['I', 27],
    ] as const) {
      const numbers = ids.filter((id) => id[0] === kind).map(([, number]) => number);
      assert.ok(numbers.length >= least, `${kind}: ${numbers.length}`);
      assert.deepEqual(
        numbers,
        numbers.map((_, at) => at + 1),
        kind,
      );
    }
  });

  it('have a cell for each column', () => {
    assert.deepEqual(misshapenIn(readFileSync(PAGE, 'utf8')), []);
    const attacks = [
      '| id | by | attack | what holds | tests |',
      '| A-1 | a | b | c | d |',
      '| A-2 | a | b | d |',
      '| A-3 | a | b |  | d |',
    ];
    const invariants = ['| id | what never breaks | tests |', '| I-1 | b | d |', '| I-2 | d |', '| I-3 | b | c | d |'];
    assert.deepEqual(misshapenIn([...attacks, ...invariants].join('\n')), ['A-2', 'A-3', 'I-2', 'I-3']);
  });

  it('are read above tests in both languages', () => {
    const rust = '// A-1, I-02,\n// A-3\n/// Told.\n#[test]\npub fn nothing_moves() {\n    // A-4 is told here.\n';
    const named = (ids: readonly string[], file: string, test: string) => ids.map((id) => ({ id, file, test }));
    assert.deepEqual(marksOf('a.rs', rust), named(['A-1', 'I-02', 'A-3'], 'a.rs', 'nothing_moves'));
    const titles: Readonly<Record<string, string>> = {
      [`it('is refused', async () => {`]: 'is refused',
      [`  test(\n    "it's refused",\n  )`]: "it's refused",
      [`it('it\\'s refused')`]: "it's refused",
      [`for (const it of [\n  ['a', 1],\n] as const)\n  it('is one of many')`]: 'is one of many',
      ['describe.skip(`what ${name(`a`)} \\`sends\\` (${mode})`, () => {']: 'what … sends (…)',
    };
    for (const [test, title] of Object.entries(titles)) assert.deepEqual(marksOf('a.ts', `// A-5\n${test}`), named(['A-5'], 'a.ts', title));
  });

  it('are wrong without a test, a row or a reason', () => {
    for (const [file, text] of [
      ['a.rs', '// A-1\nconst NONE: u8 = 0;\n'],
      ['a.ts', '// A-1\nit(name, () => {\n'],
      ['a.ts', '// A-1'],
    ] as const)
      assert.throws(() => marksOf(file, text), /a\.\w\w:1: no test stands below A-1/);
    const mark = { id: 'A-1', file: 'tests/a.rs', test: 'holds' };
    const page = (cell: string): string =>
      `| A-1 | payer | lies | refused | ${cell} |\n| A-2 | payer | lies | refused | None: it cannot be. |`;
    assert.equal(fillPage(page('gone'), [mark]), page('[`holds`](../../tests/a.rs)'));
    assert.throws(() => fillPage(page('gone'), []), /A-1 has no test/);
    assert.throws(() => fillPage(page('gone'), [mark, { ...mark, id: 'A-3' }]), /has no A-3 of tests\/a\.rs/);
    assert.throws(() => fillPage(`${page('')}\n${page('')}`, [mark]), /more than one A-1, A-2/);
  });
});
