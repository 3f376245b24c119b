/** Elements of a page: made by hand, with every text shown as text, and put in the place of earlier ones without losing the focus. */

import { visible } from '../../visible.js';

/** An attribute that is `false` or `undefined` is left out; `true` is one without a value. */
export type Attributes = Readonly<Record<string, string | boolean | undefined>>;
/** A text is shown with its hidden characters by number; nothing is left out. */
export type Child = Node | string | undefined;

const SVG = 'http://www.w3.org/2000/svg';
/** Attributes that are read to people. */
const SPOKEN = new Set(['aria-label', 'title', 'placeholder']);

/** An element of HTML. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function draw(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): Element {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** An element of the document that every desk has. */
export function found(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the document has no ${id}`);
  return element;
}

/** A text that someone else wrote: it turns no other text around. */
export function foreign(text: string): HTMLElement {
  return make('bdi', {}, text);
}

function filled<T extends Element>(element: T, attributes: Attributes, children: readonly Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? '' : SPOKEN.has(name) ? visible(value) : value);
  }
  for (const child of children) {
    if (child === undefined) continue;
    element.append(typeof child === 'string' ? visible(child) : child);
  }
  return element;
}

/** What a person changes by hand, and what their deed under way shows, so a refresh leaves it alone. */
const BY_HAND = new Set(['open', 'aria-busy']);

/**
 * Makes the children of `place` like `wanted`. What is the same stays in place with focus, selection and what was typed;
 * elements with an `id` are found again wherever they are among their siblings.
 */
export function replaceChildren(place: Element, wanted: readonly Node[]): void {
  const isWanted = namesIn(wanted);
  let next = place.firstChild;
  for (const node of wanted) {
    const same = sameOf(place, next, node);
    if (same === undefined) {
      place.insertBefore(node, next);
      continue;
    }
    // What is gone is taken away before the others come up: whatever is moved in the document loses its focus.
    while (next !== null && next !== same && !isWanted(next)) next = removed(next);
    if (same !== next) place.insertBefore(same, next);
    next = same.nextSibling;
    update(same, node);
  }
  while (next !== null) next = removed(next);
}

/** Takes a child away, and gives the one behind it. */
function removed(child: ChildNode): ChildNode | null {
  const next = child.nextSibling;
  child.remove();
  return next;
}

/** Whether a child has an `id` by which one of `wanted` may be its later form. */
function namesIn(wanted: readonly Node[]): (child: ChildNode) => boolean {
  const names = new Set(wanted.map((node) => (node instanceof Element ? node.id : '')));
  return (child) => child instanceof Element && child.id !== '' && names.has(child.id);
}

/** The child of `place` from `next` on that `node` is a later form of. */
function sameOf(place: Element, next: ChildNode | null, node: Node): ChildNode | undefined {
  if (node instanceof Element && node.id !== '') {
    const found = [...place.children].find((child) => child.id === node.id && child.tagName === node.tagName);
    return found !== undefined && (next === null || isFrom(next, found)) ? found : undefined;
  }
  if (next === null || next.nodeName !== node.nodeName) return undefined;
  return next instanceof Element && next.id !== '' ? undefined : next;
}

function isFrom(next: ChildNode, found: ChildNode): boolean {
  return next === found || (next.compareDocumentPosition(found) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}

function update(old: ChildNode, node: Node): void {
  if (!(old instanceof Element && node instanceof Element)) {
    if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name) && !BY_HAND.has(name)) old.removeAttribute(name);
  for (const { name, value } of [...node.attributes])
    if (!BY_HAND.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  replaceChildren(old, [...node.childNodes]);
}
