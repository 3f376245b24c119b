// Where this browser has no wallet: a code for a phone, and links that open this page in the browser of a wallet's app.

import { encode } from 'uqr';

import { draw, make } from '../shared/dom.js';

/** Addresses that open a page in the browser of an app. Source: the documents of each wallet. */
const APPS: readonly { readonly name: string; readonly open: (url: URL) => string }[] = [
  { name: 'MetaMask', open: ({ host, pathname, search }) => `https://link.metamask.io/dapp/${host}${pathname}${search}` },
  { name: 'Base App', open: ({ href }) => `https://go.cb-w.com/dapp?cb_url=${encodeURIComponent(href)}` },
  { name: 'Trust Wallet', open: ({ href }) => `https://link.trustwallet.com/open_url?coin_id=60&url=${encodeURIComponent(href)}` },
];

/** What to do without a wallet. */
export function elsewhere(url: string): readonly Node[] {
  const links = APPS.map(({ name, open }) => make('li', {}, make('a', { class: 'button', href: open(new URL(url)) }, `Open in ${name}`)));
  return [
    make('p', {}, 'Open this page in the app of a wallet on your phone, or install a wallet in this browser and reload.'),
    make('div', { class: 'elsewhere' }, codeOf(url), make('ul', { class: 'wallets' }, ...links)),
  ];
}

/** A QR code of the address of this page. */
function codeOf(url: string): Element {
  const { data, size } = encode(url, { border: 2 });
  let path = '';
  for (const [y, row] of data.entries()) for (const [x, isDark] of row.entries()) if (isDark) path += `M${x} ${y}h1v1h-1z`;
  return draw(
    'svg',
    { class: 'qr', viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': 'QR code of this page' },
    draw('rect', { width: `${size}`, height: `${size}`, fill: '#fff' }),
    draw('path', { d: path, fill: '#000' }),
  );
}
