// A wrangler.toml or wrangler.jsonc with the places of what stands in it.

import { readFileSync } from 'node:fs';

import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';

import { NotJson, parseJson } from './jsonc.mjs';
import { Unusable } from './unusable.mjs';

/**
 * @typedef {{line: number, column: number}} Place both from 1
 * @typedef {(string | number)[]} Path as in `['vars', 'ROUTES', 2, 'price']`
 * @typedef {Record<string, any>} Table
 */

/**
 * @typedef {object} Source
 * @property {string} file as it was named
 * @property {Table} raw the file as it stands, no environment applied
 * @property {(path: Path) => Place} place where a value stands, or the nearest thing around it
 * @property {(path: Path) => boolean} opensTable whether it is written as tables of its own, each with a line in double brackets
 */

/**
 * @param {string} file
 * @returns {Source}
 */
export function readSource(file) {
  if (!/\.(?:toml|jsonc?)$/.test(file)) throw new Unusable(`${file}: only wrangler.toml and wrangler.jsonc are read`);
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Unusable(`${file} cannot be read: ${message(error)}`);
  }
  return parseSource(file, text);
}

/**
 * @param {string} file
 * @param {string} text
 * @returns {Source}
 */
export function parseSource(file, text) {
  return file.endsWith('.toml') ? parseToml(file, text) : parseJsonc(file, text);
}

/**
 * @param {string} file
 * @param {string} text
 * @returns {Source}
 */
function parseJsonc(file, text) {
  try {
    const { value, places } = parseJson(text, { relaxed: true });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unusable(`${file}: must be one object`);
    return { file, raw: value, place: nearest(places), opensTable: () => false };
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    throw new Unusable(`${file}:${error.place.line}:${error.place.column} is not JSON: ${error.message}`);
  }
}

/**
 * @param {string} file
 * @param {string} text
 * @returns {Source}
 */
function parseToml(file, text) {
  let ast;
  try {
    ast = parseTOML(text);
  } catch (error) {
    const { lineNumber, column } = /** @type {{lineNumber?: number, column?: number}} */ (error);
    throw new Unusable(`${file}:${lineNumber ?? 1}:${(column ?? 0) + 1} is not TOML: ${mended(message(error))}`);
  }
  /** @type {Map<string, Place>} */
  const places = new Map();
  /** @type {Set<string>} */
  const tables = new Set();
  for (const part of ast.body[0].body) {
    if (part.type === 'TOMLTable') {
      note(places, part, part.resolvedKey);
      if (part.kind === 'array') tables.add(JSON.stringify(part.resolvedKey.slice(0, -1)));
    } else noteMember(places, part, []);
  }
  const opensTable = (/** @type {Path} */ path) => tables.has(JSON.stringify(path));
  return { file, raw: /** @type {Table} */ (getStaticTOMLValue(ast)), place: nearest(places), opensTable };
}

/**
 * @param {Map<string, Place>} places
 * @returns {(path: Path) => Place}
 */
function nearest(places) {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const found = places.get(JSON.stringify(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    return { line: 1, column: 1 };
  };
}

/**
 * What the parser says, and what to do where it does not say so.
 *
 * @param {string} said
 */
function mended(said) {
  if (said.startsWith('Trailing comma')) return 'the comma before } is one too many; remove it';
  if (said.startsWith('Expected comma')) return 'a comma is missing before this';
  if (said.startsWith('Unterminated string')) return 'a text has no end; write " after it';
  if (said.startsWith('Unexpected character')) return 'a value is expected; a text needs double quotes, as in "$0.01"';
  if (said.startsWith('Unspecified values')) return 'a value or ] is missing';
  return said;
}

/**
 * Notes a value and what is in it.
 *
 * @param {Map<string, Place>} places
 * @param {import('toml-eslint-parser').AST.TOMLTable | import('toml-eslint-parser').AST.TOMLContentNode} node
 * @param {Path} path
 */
function note(places, node, path) {
  notePlace(places, node, path);
  if (node.type === 'TOMLArray') node.elements.forEach((element, index) => note(places, element, [...path, index]));
  if (node.type === 'TOMLInlineTable' || node.type === 'TOMLTable') {
    for (const member of node.body) noteMember(places, member, path);
  }
}

/**
 * A member is where its key is.
 *
 * @param {Map<string, Place>} places
 * @param {import('toml-eslint-parser').AST.TOMLKeyValue} member
 * @param {Path} path
 */
function noteMember(places, member, path) {
  /** @type {Path} */
  const inner = [...path];
  for (const key of member.key.keys) {
    inner.push(key.type === 'TOMLBare' ? key.name : key.value);
    notePlace(places, key, inner);
  }
  note(places, member.value, inner);
}

/**
 * Notes where a path begins; `[a.b]` is also the place of `a`, until `a` has one of its own.
 *
 * @param {Map<string, Place>} places
 * @param {{loc: {start: {line: number, column: number}}}} node
 * @param {Path} path
 */
function notePlace(places, { loc: { start } }, path) {
  for (let length = path.length; length > 0; length -= 1) {
    const name = JSON.stringify(path.slice(0, length));
    if (!places.has(name)) places.set(name, { line: start.line, column: start.column + 1 });
  }
}

/**
 * @param {unknown} error
 */
export function message(error) {
  return error instanceof Error ? error.message : String(error);
}
