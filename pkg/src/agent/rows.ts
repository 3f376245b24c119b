/** Rows by id in the text of one store, as a desk and a harness keep theirs: within bounds, and what the store did not take comes with the next change. */
import { noted } from '../noted.js';
import { type Store, update } from '../store.js';

/** Changes rows, in one step that no other writer can divide; it may run more than once. */
export type Change<Row> = (rows: Map<string, Row>) => void;
/** How rows are written, and which of them may go. */
type Rules<Row> = {
  /** What is written of a row [the row]. */
  readonly written?: (row: Row) => unknown;
  /** A row as it was written, with its id. */
  readonly read: (written: never) => readonly [id: string, row: Row];
  /** The most that are kept. */
  readonly most: number;
  /** Whether a row goes first (0), goes then (1), or stays; of each kind the oldest goes first. */
  readonly turn: (row: Row) => number;
};

/** Maximum characters of all rows together as they are written, beside those that may not go. */
const MAX_TEXT = 64 * 1024 * 1024;

export class Rows<Row extends object> {
  readonly #store: Store | undefined;
  readonly #rules: Rules<Row>;
  #known = new Map<string, Row>();
  /** The rows of the latest record, and each as it is written: long answers are neither read nor written anew with each step of another row. */
  #last: { readonly record: string; readonly rows: ReadonlyMap<string, Row> } | undefined;
  readonly #texts = new WeakMap<Row, string>();
  /** Changes that the store did not take. */
  readonly #left = new Set<Change<Row>>();

  constructor(store: Store | undefined, rules: Rules<Row>) {
    this.#store = store;
    this.#rules = rules;
  }

  /** A row as this process knows it. */
  get(id: string): Row | undefined {
    return this.#known.get(id);
  }

  /** The rows of a record, as they stand; none of them is changed in place. */
  read(record = '[]'): Map<string, Row> {
    if (this.#last?.record !== record) this.#last = { record, rows: new Map((JSON.parse(record) as never[]).map(this.#rules.read)) };
    const rows = new Map(this.#last.rows);
    for (const change of this.#left) change(rows);
    return rows;
  }

  async change(change: Change<Row>): Promise<void> {
    if (this.#store === undefined) {
      change(this.#known);
      this.#written(this.#known);
      return;
    }
    let rows = this.#known;
    let left: Change<Row>[] = [];
    let record = '';
    await update(this.#store, (stored) => {
      left = [...this.#left];
      rows = this.read(stored);
      change(rows);
      record = this.#written(rows);
      return record;
    });
    this.#known = rows;
    this.#last = { record, rows: new Map(rows) };
    for (const it of left) this.#left.delete(it);
  }

  /** Changes what has come about, whether the store takes it now or not. */
  async note(change: Change<Row>): Promise<void> {
    if (this.#store !== undefined) this.#left.add(change);
    change(this.#known);
    await noted(() => this.change(() => undefined));
  }

  /** The rows as text, once what is too much is dropped; the newest one stays. */
  #written(rows: Map<string, Row>): string {
    const { written, most, turn } = this.#rules;
    const texts = new Map<string, string>();
    let size = 0;
    let newest = '';
    for (const [id, row] of rows) {
      const text = this.#texts.get(row) ?? JSON.stringify(written?.(row) ?? row);
      this.#texts.set(row, text);
      texts.set(id, text);
      size += text.length;
      newest = id;
    }
    for (const next of [0, 1]) {
      for (const [id, row] of rows) {
        if (texts.size <= most && size <= MAX_TEXT) break;
        if (id === newest || turn(row) !== next) continue;
        size -= texts.get(id)?.length ?? 0;
        texts.delete(id);
        rows.delete(id);
      }
    }
    return `[${[...texts.values()].join()}]`;
  }
}
