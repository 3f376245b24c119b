/** Parts that every view of a desk is made of. */

import { visible } from '../../visible.js';
import { type Attributes, type Child, foreign, make } from './dom.js';
import { short } from './money.js';
import { linkTo, type Wanted } from './shell.js';

/** A time as people read it; empty for none. */
export function moment(iso: string): HTMLElement | undefined {
  return iso === '' ? undefined : make('time', { datetime: iso }, iso.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC'));
}

/** The last millisecond that a date may have. */
const LAST_MS = 8.64e15;

/** A time in milliseconds; `undefined` for one that is no date. */
export function instant(ms: number): HTMLElement | undefined {
  return Math.abs(ms) <= LAST_MS ? moment(new Date(ms).toISOString()) : undefined;
}

/** A long name by its ends, whole in its tooltip and to be copied from the page of the one thing. */
export function shortened(name: string): HTMLElement {
  return make('code', { title: name }, short(name));
}

/** A word with a colour; the word alone says it. */
export function pill(word: string, look: string): HTMLElement {
  return make('span', { class: `tone ${look}` }, word);
}

/** Names and values under each other; what has no value is left out. */
export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  const rows = pairs.filter(([, value]) => value !== undefined && value !== '');
  return make('dl', { class: 'pairs' }, ...rows.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, asForeign(value))]));
}

/** Numbers beside each other. */
export function figuresOf(pairs: readonly (readonly [string, string])[]): HTMLElement {
  return make(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, value]) => make('div', { class: 'fact' }, make('dt', {}, name), make('dd', {}, value))),
  );
}

function asForeign(value: Child): Child {
  return typeof value === 'string' ? foreign(value) : value;
}

/** A labelled field of a form. */
export function field(label: string, name: string, id: string, more: Attributes = {}): HTMLElement {
  return make(
    'div',
    { class: 'field' },
    make('label', { for: id }, label),
    make('input', { id, name, autocomplete: 'off', spellcheck: 'false', ...more }),
  );
}

/** A labelled choice; each of `choices` is its value and its words. */
export function choice(
  label: string,
  name: string,
  id: string,
  choices: readonly (readonly [string, string])[],
  chosen = '',
  more: Attributes = {},
): HTMLElement {
  const options = choices.map(([value, words]) => make('option', { value, selected: value === chosen }, words));
  return make('div', { class: 'field' }, make('label', { for: id }, label), make('select', { id, name, ...more }, ...options));
}

/** A form that does one thing, with what the deed has to know as data. */
export function deedForm(deed: string, data: Readonly<Record<string, string>>, button: string, ...fields: readonly Child[]): HTMLElement {
  const known = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]));
  return make('form', { 'data-do': deed, ...known }, ...fields, make('button', { type: 'submit' }, button));
}

/** Gives what is pressed in a row the name of the row for those who hear it alone: each row has the same words. */
export function spokenOf(of: string, row: HTMLElement): HTMLElement {
  for (const pressed of row.querySelectorAll('button, summary'))
    pressed.setAttribute('aria-label', visible(`${pressed.textContent ?? ''}: ${of}`));
  return row;
}

/** A list of rows, or a sentence that says that there are none. */
export function rowsOf(rows: readonly HTMLElement[], none: string): HTMLElement {
  return rows.length === 0 ? make('p', { class: 'quiet' }, none) : make('ul', { class: 'rows', role: 'list' }, ...rows);
}

/** Links beside each other, one of which is where one is; each is its words, its place and whether it is that one. */
export function switchOf(label: string, links: readonly (readonly [string, string, boolean])[]): HTMLElement {
  const items = links.map(([words, href, isHere]) =>
    make('li', {}, make('a', { href, 'aria-current': isHere ? 'true' : undefined }, foreign(words))),
  );
  return make('nav', { 'aria-label': label }, make('ul', { class: 'switch', role: 'list' }, ...items));
}

/** The ways to the first and the next page of a list. */
export function pageLinks(view: string, wanted: Wanted, cursor: string | undefined, next: string, name = 'cursor'): HTMLElement {
  return make(
    'nav',
    { class: 'pages', 'aria-label': 'Pages' },
    cursor === undefined ? undefined : make('a', { href: linkTo(view, wanted) }, 'First page'),
    next === '' ? undefined : make('a', { href: linkTo(view, { ...wanted, [name]: next }) }, 'Next page'),
  );
}

/** A page of a list with the ways to its others. `none` is true of the whole list alone: a page in the middle may be empty. */
export function listPage(
  rows: readonly HTMLElement[],
  none: string,
  view: string,
  wanted: Wanted,
  cursor: string | undefined,
  next: string,
): readonly HTMLElement[] {
  const sentence = next !== '' ? 'Nothing on this page: go on to the next one.' : cursor === undefined ? none : 'Nothing more.';
  return [rowsOf(rows, sentence), pageLinks(view, wanted, cursor, next)];
}
