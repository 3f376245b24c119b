// Descriptions and defaults of the configuration's schema, from the tables of docs/configuration.md.
//
//   node scripts/schema.mjs
//
// The allowed values are in the schema alone; a test compares both.

import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { root } from './steps.mjs';

/** The section that describes each definition. */
export const SECTIONS = /** @type {const} */ ({
  vars: '## Variables',
  route: '## Routes',
  diagnostics: '### Diagnostics',
  free: '### Free requests',
  cors: '### Pages of other sites',
  bazaar: '### Request descriptions',
  price: '### Price in atomic units',
  pricer: '### Price of a bound Worker',
  asset: '### An asset in full',
  service: '## Service description',
  facilitator: '## Facilitator',
  recovery: '## Recovery times',
});

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {unknown} preset the default, if it is a value
 * @property {boolean} isRequired
 * @property {string} form
 */

/**
 * The rows of a section's tables.
 *
 * @param {string} document
 * @param {string} heading
 * @returns {Row[]}
 */
export function rowsOf(document, heading) {
  return sectionOf(document, heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [name = '', preset = '', form = ''] = line.replace(/^\| | \|$/g, '').split(' | ');
      return { name: name.replace(/`/g, ''), preset: presetOf(preset), isRequired: preset === 'required', form };
    });
}

/**
 * A section down to the next heading of any level.
 *
 * @param {string} document
 * @param {string} heading
 */
export function sectionOf(document, heading) {
  const [, section] = document.split(`\n${heading}\n`);
  if (section === undefined) throw new Error(`no section ${heading}`);
  return section.split(/\n#/)[0] ?? '';
}

/**
 * @param {string} cell
 * @returns {unknown}
 */
function presetOf(cell) {
  const [, quoted] = /^`(.*)`$/.exec(cell) ?? [];
  try {
    return JSON.parse(quoted ?? cell);
  } catch {
    // A single word is a value; a name, a dash and a sentence are not.
    return quoted !== undefined && /^[a-z]+$/.test(quoted) ? quoted : undefined;
  }
}

/**
 * The schema with the document's descriptions.
 *
 * @param {any} schema
 * @param {string} document
 * @returns {any}
 */
export function described(schema, document) {
  const next = structuredClone(schema);
  for (const [definition, heading] of Object.entries(SECTIONS)) {
    for (const { name, preset, form } of rowsOf(document, heading)) {
      const property = next.definitions[definition].properties[name];
      if (property === undefined) continue;
      // This draft ignores members beside a reference.
      const { $ref, ...own } = property;
      const text = form.replace(/\[([^\]]+)\]\((?:[^()]|\([^)]*\))*\)/g, '$1');
      next.definitions[definition].properties[name] = {
        ...own,
        ...($ref === undefined ? {} : { allOf: [{ $ref }] }),
        description: text,
        ...(preset === undefined ? {} : { default: preset }),
      };
    }
  }
  return next;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const file = join(root, 'docs', 'wrangler.schema.json');
  const document = readFileSync(join(root, 'docs', 'configuration.md'), 'utf8');
  writeFileSync(file, `${JSON.stringify(described(JSON.parse(readFileSync(file, 'utf8')), document), null, 2)}\n`);
}
