// A page that was paid for, under its own address: by itself, or inside the page that paid.

import { isPage, keptOf } from './kept.js';

const url = decodeURIComponent(location.hash.slice(1));
const goods = url.startsWith(`${location.origin}/`) ? await keptOf(url) : undefined;
if (goods === undefined || !isPage(goods)) {
  document.querySelector('p')!.textContent = 'This page is not kept here any more. Go back to its address.';
} else {
  const html = await goods.body.text();
  history.replaceState(null, '', url);
  const isFramed = parent !== window;
  document.open();
  document.write(html);
  document.close();
  // A link inside leads the whole window on. Each browser takes the address and the target from the first base that has one.
  if (isFramed && document.querySelector('base[target]') === null)
    document.head.append(Object.assign(document.createElement('base'), { target: '_top' }));
}
