/** The frame of a desk: its door, its views by the fragment of the URL, what refreshes, and what a person does. */

import { Operator, Refused, sentenceOf } from '../../operator/client.js';
import { found, make, replaceChildren } from './dom.js';
import { barOf, workers } from './door.js';
import { short } from './money.js';
import { Presses } from './presses.js';

/** What a view was asked for: the part of the fragment behind `?`. Nothing in it is secret. */
export type Wanted = Readonly<Record<string, string>>;

/** A view of a desk, by its name in the fragment. */
export interface View {
  /** Its link in the navigation; a view without one is reached from others. */
  readonly link?: string;
  /** Reads what it shows, and gives it as elements; the first is its heading. What is there before the rest is given to `early`. */
  readonly show: (operator: Operator, wanted: Wanted, early: (nodes: readonly Node[]) => void) => Promise<readonly Node[]>;
}

/** What a person filled in, and the data of the element. */
export type Filled = Readonly<Record<string, string>>;

/** Does what a form or a button asks for, and says what came of it; `undefined` for nothing to say. */
export type Deed = (operator: Operator, filled: Filled, say: (text: string) => void) => Promise<string | undefined>;

export interface DeskParts {
  /** The name of the first view. */
  readonly home: string;
  readonly views: Readonly<Record<string, View>>;
  /** By `data-do` of a form. */
  readonly deeds: Readonly<Record<string, Deed>>;
  /** Asks for something that only the token opens. */
  readonly knock: (operator: Operator) => Promise<unknown>;
}

/** How soon a view is read again, at the soonest and at the latest. */
const AGAIN_MS = 5_000;
const LATEST_MS = 120_000;
/** For how long what a person aims at or has under way keeps a view from being read again: a wallet may never answer. */
const HELD_MS = 60_000;
/** The wait before the next read, in times of the last one: what a desk reads, payments wait for. */
const REST = 20;

/** The age from which what is shown is said to be old, once it cannot be read. */
const OLD_MS = 30_000;

/** The fragment of a view. */
export function linkTo(name: string, wanted: Readonly<Record<string, string | undefined>> = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(wanted)) if (value !== undefined && value !== '') query.set(key, value);
  return query.size === 0 ? `#${name}` : `#${name}?${query}`;
}

/** A heading that gets the focus when its view is gone to. */
export function heading(text: string): HTMLElement {
  return make('h2', { id: 'heading', tabindex: '-1' }, text);
}

/** Opens the desk in the document. */
export function openDesk(parts: DeskParts): void {
  new Desk(parts).listen();
}

/** What is said, what it is of, and how it looks. */
type Line = Readonly<Record<'of' | 'text' | 'look', string>>;

class Desk {
  readonly #parts: DeskParts;
  readonly #door = found('door') as HTMLFormElement;
  readonly #inside = found('inside');
  readonly #view = found('view');
  readonly #said = found('said');
  readonly #fresh = found('fresh');
  readonly #old = found('old');
  readonly #presses = new Presses(this.#view);
  #operator: Operator | undefined;
  /** Counts what was asked for: an answer to an earlier question is dropped. */
  #asked = 0;
  /** How far the read of what was asked for last has come: until something of it is shown, a second read brings nothing but work. */
  #reading: 'no' | 'all' | 'rest' = 'no';
  /** When the reads began of which the last has not ended. */
  #begun = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = AGAIN_MS;
  /** The last read of what is shown: when it ended, and the words for it. */
  #read = { at: Number.NEGATIVE_INFINITY, words: '' };
  /** The view that is shown. */
  #shown: string | undefined;
  /** What each of the deeds that are under way together has said, or the desk itself. */
  readonly #lines = new Map<object, Line>();
  /** Deeds under way. While there are some, a view is read once a minute. */
  readonly #busy = new Set<object>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  listen(): void {
    found('refused').textContent = barOf() ?? '';
    // One may come between at any time.
    workers()?.addEventListener('controllerchange', () => this.#lock(barOf() ?? ''));
    this.#door.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#enter();
    });
    this.#presses.listen(() => this.#say('The list has just changed. Look again, then press.', 'critical'));
    found('leave').addEventListener('click', () => this.#lock(''));
    addEventListener('hashchange', () => void this.#go());
    document.addEventListener('visibilitychange', () => this.#refreshUnlessAimed());
    document.addEventListener('submit', (event) => {
      const form = event.target;
      if (!(form instanceof HTMLFormElement) || form.dataset['do'] === undefined) return;
      event.preventDefault();
      void this.#act(form, form.dataset['do']);
    });
  }

  async #enter(): Promise<void> {
    const field = this.#door.elements.namedItem('token') as HTMLInputElement;
    const note = found('refused');
    // What is under way when a worker comes between asks nothing more either: a deed, the rest of a long read, the door.
    const operator = new Operator(field.value.trim(), '', barOf);
    note.textContent = 'Asking…';
    try {
      await this.#parts.knock(operator);
      const bar = barOf();
      if (bar !== undefined) throw new Error(bar);
    } catch (error) {
      note.textContent = `Not opened: ${sentenceOf(error)}`;
      field.focus();
      return;
    }
    note.textContent = '';
    field.value = '';
    this.#operator = operator;
    this.#door.hidden = true;
    this.#inside.hidden = false;
    await this.#go();
  }

  /** Forgets the token and all that was shown. */
  #lock(why: string): void {
    this.#operator = undefined;
    this.#shown = undefined;
    this.#asked += 1;
    this.#reading = 'no';
    clearTimeout(this.#timer);
    this.#inside.hidden = true;
    this.#door.hidden = false;
    replaceChildren(this.#view, []);
    this.#say('');
    this.#tellAge('');
    found('refused').textContent = why;
    found('token').focus();
  }

  #current(): { name: string; wanted: Wanted } {
    const [name = '', query = ''] = location.hash.replace(/^#/, '').split('?', 2);
    const known = Object.hasOwn(this.#parts.views, name);
    return { name: known ? name : this.#parts.home, wanted: known ? Object.fromEntries(new URLSearchParams(query)) : {} };
  }

  async #go(): Promise<void> {
    if (this.#operator === undefined) return;
    const { name } = this.#current();
    const links = Object.entries(this.#parts.views).filter(([, { link }]) => link !== undefined);
    const items = links.map(([other, { link }]) =>
      make('li', {}, make('a', { href: linkTo(other), 'aria-current': other === name ? 'page' : undefined }, link)),
    );
    replaceChildren(found('views'), items);
    // What came of a deed is said on the page of that deed; one under way goes on to say where it is.
    if (this.#busy.size === 0) this.#say('');
    await this.#refresh();
    document.getElementById('heading')?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /** Reads what is shown again, and is over once something of it is shown: the rest may take much longer. */
  #refresh(): Promise<void> {
    return new Promise((over) => void this.#readAgain(over).finally(over));
  }

  async #readAgain(over: () => void): Promise<void> {
    clearTimeout(this.#timer);
    const operator = this.#operator;
    if (operator === undefined) return;
    this.#asked += 1;
    const asked = this.#asked;
    const place = location.hash;
    const begun = performance.now();
    // What takes long is read on beside this: the rest after it is that of the whole.
    if (this.#reading !== 'rest' || this.#shown !== place) this.#begun = begun;
    this.#reading = 'all';
    const { name, wanted } = this.#current();
    // Under the address of a view nothing of another one may be pressed, also where this one cannot be read.
    if (this.#shown !== place) {
      replaceChildren(this.#view, []);
      this.#read.words = '';
      this.#fresh.textContent = 'Reading…';
      this.#tellAge('');
    }
    const draw = (nodes: readonly Node[], more = '') => {
      if (asked !== this.#asked) return;
      this.#draw(place, nodes);
      this.#read = { at: performance.now(), words: `Read at ${new Date().toISOString().slice(0, 19).replace('T', ' ')} UTC.` };
      this.#fresh.textContent = `${this.#read.words}${more}`;
      this.#tellAge('');
      over();
    };
    const early = (nodes: readonly Node[]) => {
      if (asked !== this.#asked) return;
      draw(nodes, ' The rest is being read.');
      this.#reading = 'rest';
      this.#later(performance.now() - begun);
    };
    try {
      draw((await this.#parts.views[name]?.show(operator, wanted, early)) ?? []);
      if (asked !== this.#asked) return;
    } catch (error) {
      if (asked !== this.#asked) return;
      if (error instanceof Refused && error.status === 401) return this.#lock('The token is not accepted any more.');
      if (this.#view.childElementCount === 0) replaceChildren(this.#view, [heading('Nothing to show')]);
      this.#shown = place;
      this.#fresh.textContent = `Not read: ${sentenceOf(error)} ${this.#read.words}`;
      const isOld = this.#read.words !== '' && performance.now() - this.#read.at > OLD_MS;
      this.#tellAge(isOld ? `What is below is old. ${this.#read.words} Since then: ${sentenceOf(error)}` : '');
    }
    this.#reading = 'no';
    this.#later(performance.now() - this.#begun);
  }

  /** Says above what is shown that it is old; what is below may be far down. */
  #tellAge(text: string): void {
    if (this.#old.textContent === text) return;
    this.#presses.change(() => {
      this.#old.textContent = text;
    });
  }

  #draw(place: string, nodes: readonly Node[]): void {
    const work = () => replaceChildren(this.#view, nodes);
    if (this.#shown === place) this.#presses.change(work);
    else this.#presses.open(work);
    this.#shown = place;
  }

  #later(took?: number): void {
    clearTimeout(this.#timer);
    if (took !== undefined) this.#wait = Math.min(Math.max(REST * took, AGAIN_MS), LATEST_MS);
    this.#timer = setTimeout(() => this.#refreshUnlessAimed(), this.#wait);
  }

  #refreshUnlessAimed(): void {
    // It sets the timer once something of it is shown.
    if (this.#reading === 'all') return;
    // What a person is about to press keeps its place.
    const isAimed = this.#busy.size > 0 || this.#presses.isAimed();
    const isHeld = isAimed && performance.now() - this.#read.at < HELD_MS;
    if (document.visibilityState === 'visible' && !isHeld) void this.#refresh();
    else this.#later();
  }

  async #act(form: HTMLFormElement, name: string): Promise<void> {
    const [operator, deed] = [this.#operator, this.#parts.deeds[name]];
    if (operator === undefined || deed === undefined || form.ariaBusy === 'true') return;
    const filled: Record<string, string> = {};
    for (const [key, value] of Object.entries(form.dataset)) if (value !== undefined) filled[key] = value;
    for (const [key, value] of new FormData(form)) if (typeof value === 'string') filled[key] = value.trim();
    form.ariaBusy = 'true';
    for (const by of this.#lines.keys()) if (!this.#busy.has(by)) this.#lines.delete(by);
    this.#busy.add(filled);
    const of = filled['id'] ?? filled['payment'] ?? filled['name'] ?? '';
    const say = (text: string, look = 'note') => this.#put(filled, { of, text, look });
    try {
      const came = await deed(operator, filled, (text) => say(text));
      if (came !== undefined) say(came);
    } catch (error) {
      say(sentenceOf(error), 'critical');
    }
    this.#busy.delete(filled);
    form.ariaBusy = null;
    const held = document.activeElement;
    await this.#refresh();
    // What had the focus may be gone with the deed.
    if (held !== document.activeElement && !document.activeElement?.isConnected) document.getElementById('heading')?.focus();
    else if (document.activeElement === document.body) document.getElementById('heading')?.focus();
  }

  #say(text: string, look = 'note'): void {
    // What a deed under way has said stays: it may be where its money is.
    if (this.#busy.size === 0 || text === '') this.#lines.clear();
    this.#put(this, { of: '', text, look });
  }

  #put(by: object, line: Line): void {
    this.#lines.delete(this);
    this.#lines.set(by, line);
    const shown = [...this.#lines.values()].filter(({ text }) => text !== '');
    const lines = shown.map(({ of, text, look }) =>
      make('p', { class: look }, (shown.length > 1 || this.#busy.size > 1) && of !== '' ? `${short(of)}: ${text}` : text),
    );
    this.#presses.change(() => replaceChildren(this.#said, lines));
  }
}
