/** The network profile that a view is about: the one of the fragment, or the one that is usual. */

import type { Members } from '../../members.js';
import { itemsOf, type Operator, Refused, textOf } from '../../operator/client.js';
import { make } from '../shared/dom.js';
import { switchOf } from '../shared/parts.js';
import { heading, linkTo, type Wanted } from '../shared/shell.js';

export interface Served {
  readonly name: string;
  readonly explorer: string;
  /** Reads a path below `/api/v1/operator/` for this profile. */
  readonly read: (path: string, parameters?: Readonly<Record<string, string | undefined>>) => Promise<Members>;
  /** Heading and choice of the profile. */
  readonly head: (title: string, view: string) => readonly HTMLElement[];
}

export const PATHS = '/api/v1/operator';

/** Shows a view of a profile; or that there is none. */
export function ofProfile(
  title: string,
  show: (operator: Operator, served: Served, wanted: Wanted) => Promise<readonly Node[]>,
): (operator: Operator, wanted: Wanted) => Promise<readonly Node[]> {
  return async (operator, wanted) => {
    const all = await profilesOf(operator);
    const names = all.map((profile) => textOf(profile, 'network_profile'));
    const { profile: named } = wanted;
    if (named !== undefined && !names.includes(named)) throw new Error(`There is no network profile ${named}.`);
    const name = named ?? names[0];
    if (name === undefined) return [heading(title), make('p', { class: 'quiet' }, 'This Worker serves no exchange.')];
    const choices = (view: string) => names.map((other) => [other, linkTo(view, { profile: other }), other === name] as const);
    return show(
      operator,
      {
        name,
        explorer: textOf(all[names.indexOf(name)] ?? {}, 'explorer'),
        read: (path, parameters = {}) => operator.read(`${PATHS}/${path}`, { ...parameters, network_profile: name }),
        head: (title, view) => [heading(title), ...(names.length < 2 ? [] : [switchOf('Network profiles', choices(view))])],
      },
      wanted,
    );
  };
}

/** The profiles that are served; none where the Worker has no exchange. */
async function profilesOf(operator: Operator): Promise<readonly Members[]> {
  try {
    return itemsOf(await operator.read(`${PATHS}/profiles`));
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return [];
    throw error;
  }
}

/** An amount as people read it. */
export function priceOf(members: Members): string {
  return `${textOf(members, 'amount_decimal')} ${textOf(members, 'symbol')}`;
}
