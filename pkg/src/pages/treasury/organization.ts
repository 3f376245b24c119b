/** The organization that a view is about: the one of the fragment, or the first. */

import { itemsOf, type Operator, textOf } from '../../operator/client.js';
import { switchOf } from '../shared/parts.js';
import { heading, linkTo, type Wanted } from '../shared/shell.js';

export interface Place {
  readonly name: string;
  /** Below `/api/organizations/{name}`. */
  readonly path: (...parts: readonly string[]) => string;
  /** Heading and choice of the organization. */
  readonly head: (title: string, view: string) => readonly HTMLElement[];
}

export function pathIn(organization: string, ...parts: readonly string[]): string {
  return ['/api/organizations', organization, ...parts].map((part, at) => (at === 0 ? part : encodeURIComponent(part))).join('/');
}

export async function placeOf(operator: Operator, { org }: Wanted): Promise<Place> {
  const all = itemsOf(await operator.read('/api/organizations')).map((item) => textOf(item, 'name'));
  // Another one's agents and reviews under the name of one that is no more would be ended and approved for it.
  if (org !== undefined && !all.includes(org)) throw new Error(`There is no organization ${org}.`);
  const name = org ?? all[0] ?? '';
  const choices = (view: string) => all.map((other) => [other, linkTo(view, { org: other }), other === name] as const);
  return {
    name,
    path: (...parts) => pathIn(name, ...parts),
    head: (title, view) => [heading(title), ...(all.length < 2 ? [] : [switchOf('Organizations', choices(view))])],
  };
}
