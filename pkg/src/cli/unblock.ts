/** `unblock`: lets calls out again to an endpoint whose server asked to stop. */
import { endpointsOf } from '../endpoints.js';
import { fileStore } from '../file-store.js';
import { asked } from './request.js';
import { tell } from './terminal.js';
import { EXIT, type Words } from './words.js';

export async function unblock(words: Words): Promise<number> {
  const { url, store } = asked(words);
  // Without a method it is every method of the URL.
  const endpoint = words.values.method === undefined ? url : `${words.values.method} ${url}`;
  const endpoints = endpointsOf(fileStore(store));
  const known = [await endpoints.reenable(endpoint), await endpoints.approve(endpoint)];
  tell(known.includes(true) ? 'farebox: it may be paid again\n' : 'farebox: it was not blocked\n');
  return EXIT.done;
}
