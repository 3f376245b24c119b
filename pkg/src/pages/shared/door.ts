/** Where a desk takes no token. */

import { takesTokens } from '../../operator/client.js';

/** Whether others cannot read what goes over. A browser keeps more names on its machine than any program: those below `.localhost`. */
const isPrivate = (): boolean => takesTokens(location.origin) || isSecureContext;
/** What is said of a page over http to another machine. */
const READABLE = 'Others can read what goes over http. Open this desk at its https address, or on its own machine.';
/** What is said where a service worker sees each request of the page, and may keep it with the token, or answer by what it kept. */
const RELAYED =
  'A service worker of this site stands between, and could keep the token. Reload this desk past it: hold Shift, or in Safari press Option-Command-R. A private window knows of no refund that this browser has begun or sent.';

/** Why no token is taken here; `undefined` where one is. The page was read over the same way: nothing that it asks for is out of sight there. */
export function barOf(): string | undefined {
  if (!isPrivate()) return READABLE;
  return workers()?.controller == null ? undefined : RELAYED;
}

/** The service workers of the site; pages without a secure context have none. */
export const workers = () => navigator.serviceWorker as ServiceWorkerContainer | undefined;
