/** The presses in a view that changes by itself: one that was meant for what stood there a moment before does nothing. */

/** For how long after another row or deed came beneath the pointer or the focus a press of it does nothing. */
export const SETTLED_MS = 700;
/** As far as a hand moves between two clicks that are meant for one place. */
const NEAR_PX = 8;

export class Presses {
  readonly #view: HTMLElement;
  #pointer = { x: -1, y: -1 };
  /** Where the last press was, and what with; a finger or a pen points at nothing before. */
  #pressed = { x: Number.NaN, y: Number.NaN, by: 'mouse' };
  /** When something else last came to each of the aims. */
  #moved = { pointer: Number.NEGATIVE_INFINITY, focus: Number.NEGATIVE_INFINITY, list: Number.NEGATIVE_INFINITY };
  /** When another view came, and where the last press before it was. */
  #opened = { at: Number.NEGATIVE_INFINITY, x: Number.NaN, y: Number.NaN };

  constructor(view: HTMLElement) {
    this.#view = view;
  }

  /** Watches what is pressed; `stopped` hears of each press that is stopped. */
  listen(stopped: () => void): void {
    this.#view.addEventListener(
      'click',
      (event) => {
        if (event.timeStamp - this.#movedFor(event) > SETTLED_MS) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        stopped();
      },
      true,
    );
    document.addEventListener('pointermove', ({ clientX: x, clientY: y }) => {
      this.#pointer = { x, y };
    });
    document.addEventListener('pointerdown', ({ clientX: x, clientY: y, pointerType: by }) => {
      this.#pressed = { x, y, by };
    });
  }

  /** Whether a mouse is above a button. What was tapped stays hovered, though no finger is there any more. */
  isAimed(): boolean {
    return this.#pressed.by === 'mouse' && this.#view.querySelector('button:hover') !== null;
  }

  /** Changes what is shown, and notes which presses would be for something else by now. */
  change(work: () => void): void {
    const before = this.#aims();
    work();
    const after = this.#aims();
    for (const aim of ['pointer', 'focus', 'list'] as const) if (before[aim] !== after[aim]) this.#moved[aim] = performance.now();
  }

  /** Shows another view, which a person has asked for: all that points at nothing before was meant for the one before. */
  open(work: () => void): void {
    work();
    this.#opened = { ...this.#pressed, at: performance.now() };
    this.#moved.list = this.#opened.at;
  }

  /** What a press may be for: of the mouse, of the keyboard, and of what points at nothing before. */
  #aims(): Readonly<Record<'pointer' | 'focus' | 'list', string>> {
    const { x, y } = this.#pointer;
    return {
      pointer: nameOf(document.elementFromPoint(x, y)),
      focus: nameOf(document.activeElement),
      // A row without a form, or a longer line above, moves what keeps its name.
      list: [...this.#view.querySelectorAll('form')].flatMap((form) => [nameOf(form), Math.round(form.getBoundingClientRect().top)]).join(),
    };
  }

  /** When something else last came to what this press is for. */
  #movedFor({ target, detail, clientX, clientY }: MouseEvent): number {
    // A press by keyboard is a click without a count, and so is that of a screen reader, which needs no focus.
    const [pressed, held] = [target as Element, document.activeElement];
    // Enter in a field is a click on the button of its form.
    const isHeld = nameOf(pressed) === nameOf(held) || (held !== null && pressed.closest('form')?.contains(held) === true);
    const aim = detail === 0 ? (isHeld ? 'focus' : 'list') : this.#pressed.by === 'mouse' ? 'pointer' : 'list';
    // A second click at one place was meant for what stood there before its view came.
    const { at, x, y } = this.#opened;
    return aim === 'pointer' && Math.hypot(x - clientX, y - clientY) < NEAR_PX ? Math.max(this.#moved.pointer, at) : this.#moved[aim];
  }
}

/** The row that an element is in, and the deed of its form with all that it would send. */
function nameOf(element: Element | null): string {
  const form = element?.closest('form');
  return JSON.stringify([element?.closest('[id]')?.id, form?.dataset]);
}
