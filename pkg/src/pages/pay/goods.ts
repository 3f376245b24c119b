// What was paid for, in place: as text, picture, sound, film, page, or a file to save.

import { visible } from '../../visible.js';
import { make } from '../shared/dom.js';
import { type Goods, isPage, kindOf } from './kept.js';

/** Longest text that is shown, characters. */
const MOST_SHOWN = 200_000;
/** The name of what is shown, to readers, whether it was paid for or not. */
export const CAME = 'What came';

/**
 * What a page of the origin may do in its frame: all that it may by itself, but lead this page on unless its person presses a link. A script
 * against frames would load this page again for ever.
 */
const RIGHTS =
  'same-origin scripts forms modals popups popups-to-escape-sandbox downloads pointer-lock orientation-lock presentation storage-access-by-user-activation top-navigation-by-user-activation'.replace(
    /\S+/g,
    'allow-$&',
  );

/** How much of a text is read to show it, bytes: enough for the longest one that is shown. All of it may be more than a tab holds. */
const MOST_READ = 1_000_000;

/** The goods, and a link to save them: what was paid for has that link, whatever stands in the way of showing it. */
export async function shown(goods: Goods, url: string, isKept: boolean): Promise<readonly Node[]> {
  const address = URL.createObjectURL(goods.body);
  // Opened in a tab of its own, what is guarded would be a page of this origin.
  const saving = goods.isGuarded ? savingOf(goods.body, goods.file) : savingAt(address, goods.file);
  const nodes = await inPlace(goods, address, url, isKept).catch(() => [
    make('p', { class: 'quiet' }, 'It cannot be shown here: save it.'),
  ]);
  return [...nodes, saving];
}

/** The goods themselves. A page is shown from what is kept, if it is: otherwise as its words. */
async function inPlace(goods: Goods, address: string, url: string, isKept: boolean): Promise<readonly Node[]> {
  const kind = kindOf(goods.type);
  if (isPage(goods) && isKept) {
    const page = `/_farebox/pay/view#${encodeURIComponent(url)}`;
    const alone = make('a', { href: page }, 'Open it by itself');
    return [make('p', {}, alone), make('iframe', { src: page, title: CAME, sandbox: RIGHTS })];
  }
  if (isText(kind)) {
    const text = await goods.body.slice(0, MOST_READ).text();
    const more = text.length > MOST_SHOWN ? [make('p', { class: 'quiet' }, 'Save the file to see all of it.')] : [];
    const lines = written(inLines(kind, text).slice(0, MOST_SHOWN));
    return kind === 'text/html'
      ? [bare(goods.body), make('details', {}, make('summary', {}, 'Its text'), lines, ...more)]
      : [lines, ...more];
  }
  if (/^image\/(?:png|jpeg|gif|webp|avif)$/.test(kind)) return [make('img', { src: address, alt: CAME })];
  if (kind.startsWith('audio/')) return [make('audio', { src: address, controls: '' })];
  if (kind.startsWith('video/')) return [make('video', { src: address, controls: '' })];
  return [];
}

/** A page that is not the origin's in a frame without any right: its words can be read. By itself it would be of this origin. */
function bare(body: Blob): HTMLElement {
  const src = URL.createObjectURL(body);
  const frame = make('iframe', { sandbox: '', src, title: CAME });
  frame.addEventListener('load', () => URL.revokeObjectURL(src));
  return frame;
}

const isText = (kind: string): boolean => kind.startsWith('text/') || kind.endsWith('json') || kind === 'application/xml';

/** Text in its own lines, each with its hidden characters shown. */
function written(text: string): HTMLElement {
  const place = make('pre', { tabindex: '0', 'aria-label': CAME });
  place.textContent = inOwnLines(text);
  return place;
}

const inOwnLines = (text: string): string =>
  text
    .split(/(\r?\n|\t)/)
    .map((part, at) => (at % 2 === 1 ? part : visible(part)))
    .join('');

/** JSON with its members one below the other. */
function inLines(kind: string, text: string): string {
  if (!kind.endsWith('json')) return text;
  try {
    // A number beyond 2^53 would be another one afterwards.
    return /\d{16}/.test(text) ? text : JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Whether the origin keeps an answer from being a page of its own: by a policy, or because it is a file, such as one that a stranger uploaded. */
export function isGuarded(headers: Headers): boolean {
  return headers.has('content-security-policy') || isFile(headers);
}

/** Whether browsers save an answer: they do so of each kind but `inline`. What is no kind at all they show. Spec: RFC 6266, 4.2. */
function isFile(headers: Headers): boolean {
  return /^\s*(?!inline\s*(?:;|$))[^\s;="]+\s*(?:;|$)/i.test(headers.get('content-disposition') ?? '');
}

/** The name of a file: what the server says, else the end of the path. */
export function fileOf(response: Response, url: string): string {
  const said = /filename="?([^";]+)"?/i.exec(response.headers.get('content-disposition') ?? '')?.[1];
  const name = (said ?? new URL(url).pathname.split('/').pop() ?? '').replace(/[^\w.() -]/g, '_').slice(0, 100);
  return name === '' || name.startsWith('.') ? 'download' : name;
}

/** Whether an answer is a stream, which the gate stores for nobody. Lines with a length, or as a file, are read like any other file. */
export function isLive({ headers }: Response): boolean {
  const kind = kindOf(headers.get('content-type') ?? '');
  return kind === 'text/event-stream' || (kind === 'application/x-ndjson' && !headers.has('content-length') && !isFile(headers));
}

/** What came of an answer, and how it ended: broken off, or as its person stopped it. */
export type Came = { readonly body: Blob; readonly ends: 'whole' | 'stopped' | 'broken' };

/** A link that saves what came. Whatever its kind is, it is no page of this origin. */
export function savingOf(body: Blob, file: string): HTMLElement {
  return savingAt(URL.createObjectURL(new Blob([body], { type: 'application/octet-stream' })), file);
}

const savingAt = (href: string, file: string): HTMLElement =>
  make('p', {}, make('a', { href, download: file, class: 'button' }, `Save ${file}`));

/** The longest part that came for a payment. */
let longest = new Blob();

/**
 * What came of content that broke off, which may be given no more: the longest part that was paid for, until all of it has come. What is free
 * stands below that, and never takes its place.
 */
export function partOf({ body, ends }: Came, file: string, isPaid: boolean): readonly Node[] {
  if (isPaid && ends === 'broken' && body.size > longest.size) longest = body;
  if (isPaid && ends === 'whole') longest = new Blob();
  const free = !isPaid && ends === 'broken' ? partLine('It costs nothing now, and broke off.', body, file) : [];
  return [...partLine('It broke off.', longest, file), ...free];
}

function partLine(says: string, body: Blob, file: string): readonly Node[] {
  const note = `${says} Its first ${inWords(body.size)} came: you can save them until you leave or reload this page.`;
  return body.size === 0 ? [] : [make('p', { class: 'quiet' }, note), savingOf(body, file)];
}

const inWords = (bytes: number): string => `${bytes.toLocaleString('en-US')} bytes`;

/** How much of an answer is held in memory, bytes. */
const MOST_HELD = 8_388_608;

/** Reads an answer to its end, or for as long as it comes: whatever ends it, all that came is there. */
async function read(response: Response, stopped: AbortSignal, takes: (part: Uint8Array) => void): Promise<Came> {
  const reader = response.body?.getReader();
  let parts: BlobPart[] = [];
  let held = 0;
  let ends: Came['ends'] = 'whole';
  stopped.addEventListener('abort', () => {
    ends = 'stopped';
    reader?.cancel().catch(() => undefined);
  });
  try {
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      parts.push(part.value);
      held += part.value.byteLength;
      // Browsers put a large Blob on their disk: what comes for hours would end the tab.
      if (held > MOST_HELD) [parts, held] = [[new Blob(parts)], 0];
      takes(part.value);
    }
  } catch {
    ends = 'broken';
  }
  return { body: new Blob(parts, { type: response.headers.get('content-type') ?? '' }), ends };
}

/** How long content comes without a word, milliseconds. */
const SOON_MS = 3_000;

/**
 * The content of an answer. Where it comes for long, `shows` has how much came, and what stops it: content need not end. `isPaid`: what does
 * not come is lost.
 */
export async function contentOf(response: Response, isPaid: boolean, shows: (note: Node, stop: () => void) => void): Promise<Came> {
  const note = make('p', { class: 'quiet' });
  const began = performance.now();
  let [bytes, isShown] = [0, false];
  const stopping = new AbortController();
  const timer = setInterval(() => {
    if (bytes === 0 || performance.now() - began < SOON_MS) return;
    note.textContent = `${inWords(bytes)} came so far.${isPaid ? ' What has not come when you stop is paid for anew.' : ''}`;
    if (!isShown) shows(note, () => stopping.abort());
    isShown = true;
  }, 1_000);
  const came = await read(response, stopping.signal, (part) => {
    bytes += part.byteLength;
  });
  clearInterval(timer);
  return came;
}

/** Events as they come, which nobody keeps: the last of them are shown, and all of them can be saved. */
export function followed(response: Response, place: HTMLElement, stopped: AbortSignal): Promise<Came> {
  const text = new TextDecoder();
  return read(response, stopped, (part) => {
    place.textContent = (place.textContent + inOwnLines(text.decode(part, { stream: true }))).slice(-MOST_SHOWN);
  });
}
