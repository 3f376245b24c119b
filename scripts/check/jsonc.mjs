// A JSON document with the places of what stands in it; comments and commas at the end are allowed if asked.

/**
 * @typedef {import('./source.mjs').Place} Place
 * @typedef {import('./source.mjs').Path} Path
 */

/** Nested deeper than any configuration. */
const MAX_DEPTH = 64;

/** What is not JSON, and where. */
export class NotJson extends Error {
  /**
   * @param {string} message
   * @param {Place} place
   */
  constructor(message, place) {
    super(message);
    this.place = place;
  }
}

/**
 * @param {string} text
 * @param {{relaxed?: boolean}} [options] whether it is JSON with comments
 * @returns {{value: any, places: Map<string, Place>}} places by their path as JSON
 * @throws {NotJson}
 */
export function parseJson(text, { relaxed = false } = {}) {
  /** @type {Map<string, Place>} */
  const places = new Map();
  let at = 0;

  /** @param {number} index */
  const placeOf = (index) => {
    const before = text.slice(0, index).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  };
  /** @type {(message: string, index?: number) => never} */
  const fail = (message, index = at) => {
    throw new NotJson(message, placeOf(index));
  };
  const skip = () => {
    const space = relaxed ? /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*/y : /[ \t\r\n]*/y;
    space.lastIndex = at;
    at += space.exec(text)?.[0].length ?? 0;
  };
  /** @param {RegExp} token */
  const take = (token) => {
    token.lastIndex = at;
    const found = token.exec(text)?.[0];
    if (found === undefined) return undefined;
    at += found.length;
    return found;
  };
  const string = () => {
    const start = at;
    const found = take(/"(?:[^"\\\n]|\\.)*"/y);
    if (found === undefined) return fail(text[at] === '"' ? 'a text has no end on its line' : 'a text in double quotes is missing');
    try {
      return /** @type {string} */ (JSON.parse(found));
    } catch {
      return fail('a text has an escape that JSON does not have', start);
    }
  };

  /**
   * Members or elements up to `end`; `one` reads one of them.
   *
   * @param {string} end
   * @param {() => void} one
   */
  const list = (end, one) => {
    at += 1;
    skip();
    while (text[at] !== end) {
      one();
      skip();
      const comma = at;
      if (text[at] === ',') {
        at += 1;
        skip();
        if (text[at] === end && !relaxed) fail(`the comma before ${end} is one too many`, comma);
      } else if (text[at] !== end) {
        fail(at >= text.length ? `${end} is missing at the end` : `a comma or ${end} is missing`);
      }
    }
    at += 1;
  };

  /**
   * @param {Path} path
   * @returns {any}
   */
  const value = (path) => {
    skip();
    if (path.length > MAX_DEPTH) fail('it is nested too deeply');
    const name = JSON.stringify(path);
    if (!places.has(name)) places.set(name, placeOf(at));
    if (text[at] === '{') {
      /** @type {[string, unknown][]} */
      const members = [];
      list('}', () => {
        const begins = placeOf(at);
        const key = string();
        skip();
        if (text[at] !== ':') fail(`a colon is missing after ${JSON.stringify(key)}`);
        at += 1;
        places.set(JSON.stringify([...path, key]), begins);
        members.push([key, value([...path, key])]);
      });
      return Object.fromEntries(members);
    }
    if (text[at] === '[') {
      /** @type {unknown[]} */
      const elements = [];
      list(']', () => void elements.push(value([...path, elements.length])));
      return elements;
    }
    if (text[at] === '"') return string();
    const word = take(/-?\d[\w.+-]*|[A-Za-z_$][\w.$-]*/y);
    if (word === undefined) return fail(at >= text.length ? 'a value is missing at the end' : `a value is missing before ${text[at]}`);
    try {
      return JSON.parse(word);
    } catch {
      return fail(`${word} is no value; write a text in double quotes`, at - word.length);
    }
  };

  const whole = value([]);
  skip();
  if (at < text.length) fail('there is something after the end');
  return { value: whole, places };
}
