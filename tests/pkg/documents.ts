// Plays the blocks of a document as a reader types them, with what is theirs in the place of names that stand for it.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { type Block, blocksOf, environment, onFreePorts, type Running, Shell } from './examples.ts';
import { assertNoRust, temporaryFolder } from './tarball.ts';

/** What stands in a document, and what a reader writes there. */
export type Names = Readonly<Record<string, string>>;

/** How a block is played. */
export interface Play {
  /** What it prints, where no block of the document says so. */
  readonly prints?: string;
  /** What is typed before it. */
  readonly first?: string;
  /** The folder whose ports it has. */
  readonly listens?: string;
  readonly edits?: Names;
}

/** The reader of one document. */
export class Reader {
  readonly text: string;
  readonly #blocks: readonly Block[];
  readonly #left = new Set<Block>();
  readonly #shell: Shell;
  readonly #folder: string;
  readonly #names: Names;
  readonly #document: string;
  /** By the folder in which somebody listens. */
  readonly #ports = new Map<string, Map<string, string>>();

  constructor(context: TestContext, document: string, folder: string, names: Names) {
    this.text = readFileSync(document, 'utf8');
    this.#document = document;
    this.#folder = folder;
    this.#names = names;
    for (const name of Object.keys(names)) assert.ok(this.text.includes(name), `${document} does not say ${name}`);
    this.#blocks = blocksOf(this.text);
    for (const block of this.#blocks) this.#left.add(block);
    // What is not installed is never fetched by its name: the names are not ours.
    const env = { ...environment(folder), npm_config_yes: 'false' };
    assertNoRust(env);
    this.#shell = new Shell(context, env);
  }

  /** A folder of the reader's own. */
  folder(name: string): string {
    const at = join(this.#folder, name);
    mkdirSync(at, { recursive: true });
    return at;
  }

  /** A text of the document as the reader writes it in that folder. */
  async own(text: string, at: string): Promise<string> {
    const ports = this.#ports.get(at) ?? new Map<string, string>();
    this.#ports.set(at, ports);
    const named = Object.entries(this.#names).reduce((before, [name, own]) => before.replaceAll(name, own), text);
    return onFreePorts(named, ports);
  }

  /** Plays the block that begins so, until it has printed what the document says, or `prints`. */
  async plays(begins: string, at: string, { prints, first = '', listens = at, edits = {} }: Play = {}): Promise<Running> {
    const block = this.#taken(begins);
    const expected = prints ?? block.prints;
    const shown = expected === undefined ? undefined : await this.own(expected, listens);
    const edited = Object.entries(edits).reduce((before, [from, to]) => before.replaceAll(from, to), block.commands);
    return this.types(`${first}${await this.own(edited, listens)}`, at, shown);
  }

  /** Types what no block says, such as a line that was printed. */
  types(commands: string, at: string, prints?: string): Promise<Running> {
    return this.#shell.run({ commands, prints }, at);
  }

  /** Leaves a block to others: `why` names them. */
  leaves(begins: string, why: string): void {
    assert.notEqual(why, '');
    this.#taken(begins);
  }

  stop(running: Running): Promise<void> {
    return this.#shell.stop(running);
  }

  assertAllPlayed(): void {
    const left = [...this.#left].map(({ commands }) => commands.trim());
    assert.deepEqual(left, [], `${this.#document} has blocks that nobody plays`);
    this.#shell.assertNoneFailed();
  }

  end(): Promise<void> {
    return this.#shell.end();
  }

  #taken(begins: string): Block {
    const found = [...this.#left].filter(({ commands }) => commands.trimStart().startsWith(begins));
    assert.equal(found.length, 1, `${this.#document}: ${found.length} blocks begin with ${begins}`);
    this.#left.delete(found[0]!);
    return found[0]!;
  }
}

/** Reads a document to its end. */
export async function reading(
  context: TestContext,
  { document, names }: { readonly document: string; readonly names: Names },
  read: (reader: Reader) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder();
  const reader = new Reader(context, document, folder.path, names);
  try {
    await read(reader);
    reader.assertAllPlayed();
  } finally {
    await reader.end();
    folder.remove();
  }
}
