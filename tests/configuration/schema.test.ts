/** The schema of the configuration: what editors say is what the documents say, and what is right is allowed. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';

import { Ajv } from 'ajv';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';

import { described, rowsOf, SECTIONS, sectionOf } from '../../scripts/schema.mjs';
import { HEAD, settingsOf, TABLE, tomlOf } from './table.ts';

type Definition = {
  readonly properties: { readonly [name: string]: object };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
};
type Schema = { readonly allOf: readonly [{ readonly $ref: string }]; readonly definitions: { readonly [name: string]: Definition } };

const FILE = resolve('docs/wrangler.schema.json');
const SCHEMA = JSON.parse(readFileSync(FILE, 'utf8')) as Schema;
const DOCUMENT = readFileSync('docs/configuration.md', 'utf8');

// Names of formats and editors' own words are no rules here.
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
const wrangler = resolve(dirname(FILE), SCHEMA.allOf[0].$ref);
ajv.addSchema(JSON.parse(readFileSync(wrangler, 'utf8')), pathToFileURL(wrangler).href);
const validate = ajv.compile({ ...SCHEMA, $id: pathToFileURL(FILE).href });

/** What the schema has against a wrangler.toml. */
function against(text: string): readonly string[] {
  return validate(getStaticTOMLValue(parseTOML(text)))
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** The TOML of a document, which is right: whole files, or variables alone. */
function examples(document: string): readonly string[] {
  const text = readFileSync(document, 'utf8').replace(/^Ten things that people get wrong[^]*?^```toml\n/m, '```text\n');
  const blocks = text
    .split('```toml\n')
    .slice(1)
    .map((rest) => rest.split('```')[0] ?? '');
  return blocks.map((block) => (/^[A-Z_]+ = /.test(block) ? `[vars]\n${block}` : block));
}

describe('schema', () => {
  it('takes the committed files', () => {
    for (const file of ['wrangler.toml', 'demo/js-gate/wrangler.toml']) assert.deepEqual(against(readFileSync(file, 'utf8')), [], file);
  });

  it('is named for editors by the committed file', () => {
    const [, path] = /^#:schema (\S+)$/m.exec(readFileSync('wrangler.toml', 'utf8')) ?? [];
    assert.equal(resolve(path ?? ''), FILE);
  });

  it('takes every example of the documents', () => {
    const pages = readdirSync('docs').filter((page) => page.endsWith('.md'));
    const documents = ['README.md', 'pkg/treasury/README.md', ...pages.map((page) => `docs/${page}`)];
    const all = documents.flatMap((document) => examples(document).map((text) => ({ document, text })));
    assert.ok(all.length >= 3, `${all.length}`);
    for (const { document, text } of all) assert.deepEqual(against(text), [], `${document}:\n${text}`);
  });

  it('takes the good settings of the table, and their structured values as JSON text', () => {
    const { vars } = settingsOf({});
    assert.deepEqual(against(tomlOf(vars)), []);
    assert.deepEqual(
      against(tomlOf({ ...vars, ROUTES: JSON.stringify(vars['ROUTES']), LEDGER_SHARDS: '64,16', RECOVERY: '{"settle_secs":2}' })),
      [],
    );
    assert.deepEqual(against(`${HEAD}\n[env.live]\n${tomlOf(vars, { head: '', table: 'env.live.vars' })}`), []);
  });

  it('refuses in an environment what it refuses at the top', () => {
    assert.equal(against(tomlOf({ DEFAULT: 'allow' })).length, 1);
    assert.equal(against(tomlOf({ DEFAULT: 'allow' }, { table: 'env.live.vars' })).length, 1);
  });

  it('refuses unknown fields and wrong types, and a hundred things more that the gate refuses', () => {
    const refused = TABLE.cases.filter((one) => against(tomlOf(settingsOf(one).vars)).length > 0);
    const plain = TABLE.cases.filter(
      ({ name, says }) => says === 'unknown field' || says === 'invalid type' || / that (is|are) (a number|text)\b/.test(name),
    );
    assert.ok(plain.length >= 15, `${plain.length}`);
    for (const one of plain) assert.ok(refused.includes(one), one.name);
    assert.ok(refused.length > 100, `${refused.length}`);
  });

  for (const [definition, heading] of Object.entries(SECTIONS)) {
    it(`${definition} has the names, requirements and defaults of "${heading}", and no other`, () => {
      const rows = rowsOf(DOCUMENT, heading);
      const { properties, required = [], additionalProperties } = SCHEMA.definitions[definition] as Definition;
      assert.deepEqual(Object.keys(properties).sort(), rows.map(({ name }) => name).sort());
      if (definition === 'vars') return;
      assert.equal(additionalProperties, false);
      assert.deepEqual(
        [...required].sort(),
        rows
          .filter(({ isRequired }) => isRequired)
          .map(({ name }) => name)
          .sort(),
      );
    });
  }

  it('lets a protected pattern have every field of a route', () => {
    const fieldsOf = (definition: string) => Object.keys((SCHEMA.definitions[definition] as Definition).properties);
    assert.deepEqual(fieldsOf('protected_pattern').sort(), [...fieldsOf('route'), 'pattern'].sort());
  });

  it('says what the document says: run `node scripts/schema.mjs` if not', () => {
    assert.deepEqual(described(SCHEMA, DOCUMENT), SCHEMA);
  });

  it('has the bounds that are described', () => {
    let compared = 0;
    for (const [definition, heading] of Object.entries(SECTIONS)) {
      for (const { name, form } of rowsOf(DOCUMENT, heading)) {
        const text = JSON.stringify((SCHEMA.definitions[definition] as Definition).properties[name]);
        // What two other settings bound is described as such, and so is a power of two.
        if (name === 'max_timeout_secs' || name === 'LEDGER_CLOSED_BEFORE') continue;
        for (const [, bound = ''] of text.matchAll(/"(?:minimum|maximum|maxLength|maxItems)":(\d+)/g)) {
          if (bound === '78') continue;
          const said = definition === 'diagnostics' ? sectionOf(DOCUMENT, heading) : form;
          assert.ok(said.match(/\d+/g)?.includes(bound), `${name}: ${bound} is not described`);
          compared += 1;
        }
      }
    }
    assert.ok(compared > 30, `${compared}`);
  });

  it('allows each default that is described', () => {
    for (const [definition, heading] of Object.entries(SECTIONS)) {
      for (const { name, preset } of rowsOf(DOCUMENT, heading)) {
        if (preset === undefined) continue;
        const property = ajv.compile({ $ref: `${pathToFileURL(FILE).href}#/definitions/${definition}/properties/${name}` });
        assert.ok(property(preset), `${name} = ${JSON.stringify(preset)}`);
      }
    }
  });
});
