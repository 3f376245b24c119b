/** A copy of a ledger on the disk: one file of rows, and a mark that is written once all of them are there. */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { isObject, type Members, membersOf, Usage } from 'farebox/command';

import { HIDES, inCopy, NOTE } from '../../serve/state.js';
import { syncAll, writeWhole } from '../../serve/whole.js';

const ROWS = 'ledger.jsonl';
const MARK = 'ledger.json';
/** Version of the file. */
export const FORMAT = 1;

/** An object's part of a copy. */
export type Part = { readonly name: string; readonly rows: number; readonly sha256: string };

/** What the mark says. Times are unix seconds by the clock of the gate. */
export type Copy = {
  readonly format: number;
  readonly copy: string;
  readonly begun: number;
  readonly ended: number;
  /** Tells ledgers of other salts apart. */
  readonly salt: string;
  /** The gate's `LEDGER_CLOSED_BEFORE`. */
  readonly restores: readonly number[];
  /** Whether the gate sold nothing from begin to end. */
  readonly closed: boolean;
  readonly parts: readonly Part[];
};

/** Sums up rows as they come. */
export function sumOf(name: string): { add(line: string): void; end(): Part } {
  const hash = createHash('sha256');
  let rows = 0;
  return {
    add(line) {
      hash.update(`${line}\n`);
      rows += 1;
    },
    end: () => ({ name, rows, sha256: hash.digest('hex') }),
  };
}

/** Writes a copy into a new folder, of which nothing is left if the work fails. */
export async function writeCopy(
  target: string,
  work: (write: (line: string) => void) => Promise<Omit<Copy, 'format' | 'copy'>>,
): Promise<Copy> {
  const to = resolve(target);
  if (existsSync(to)) throw new Usage(`${to} is there already: name a new folder`);
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  mkdirSync(to, { mode: 0o700 });
  try {
    const inside = inCopy(to);
    writeFileSync(join(to, HIDES), '*\n');
    mkdirSync(inside, { mode: 0o700 });
    const handle = openSync(join(inside, ROWS), 'wx', 0o600);
    let said: Omit<Copy, 'format' | 'copy'>;
    try {
      said = await work((line) => {
        writeSync(handle, `${line}\n`);
      });
    } finally {
      closeSync(handle);
    }
    syncAll(to);
    const copy: Copy = { format: FORMAT, copy: randomBytes(16).toString('hex'), ...said };
    // Last, and once all else is on the disk: a copy without it is none.
    writeWhole(join(inside, MARK), `${JSON.stringify(copy)}\n`);
    return copy;
  } catch (error) {
    rmSync(to, { recursive: true, force: true });
    throw error;
  }
}

/** The line before the rows of an object. */
export const beginOf = (name: string): string => JSON.stringify({ object: name });

/** What the mark of a copy says. */
export function copyIn(source: string): Copy {
  const inside = insideOf(source);
  const text = existsSync(join(inside, MARK)) ? readFileSync(join(inside, MARK), 'utf8') : '';
  if (text === '')
    throw new Usage(
      existsSync(join(inside, NOTE))
        ? `${source} is the folder of a gate that serve runs: restore it without --at, and bring its ledger elsewhere by \`farebox backup --at\``
        : `${source} is no whole copy: it has no ${MARK}`,
    );
  const members = membersIn(text);
  const parts = Array.isArray(members['parts']) ? members['parts'].map(membersOf) : [];
  if (members['format'] !== FORMAT)
    throw new Usage(`${source} has another format than ${FORMAT}: take the farebox that wrote it, or a newer one`);
  const isCopy =
    ['begun', 'ended'].every((name) => Number.isSafeInteger(members[name])) &&
    ['copy', 'salt'].every((name) => typeof members[name] === 'string') &&
    Array.isArray(members['restores']) &&
    members['restores'].every((time) => Number.isSafeInteger(time)) &&
    parts.length > 0 &&
    parts.every((part) => typeof part['name'] === 'string' && typeof part['sha256'] === 'string' && Number.isSafeInteger(part['rows']));
  if (!isCopy) throw new Usage(`${join(inside, MARK)} is not as it was written: take another copy`);
  return { ...members, closed: members['closed'] === true } as unknown as Copy;
}

function membersIn(text: string): Members {
  try {
    const said: unknown = JSON.parse(text);
    if (isObject(said)) return said;
  } catch {
    // It is no JSON.
  }
  return {};
}

function insideOf(source: string): string {
  const place = resolve(source);
  return existsSync(join(inCopy(place), MARK)) || existsSync(join(inCopy(place), NOTE)) ? inCopy(place) : place;
}

/** The rows of a copy, each with the name of its object, in the order in which they were written. */
export async function* rowsIn(source: string): AsyncGenerator<{ readonly name: string; readonly line: string | undefined }> {
  const file = join(insideOf(source), ROWS);
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw new Usage(`${source} has no file ${ROWS}`);
  let name = '';
  for await (const line of linesOf(file)) {
    if (line.startsWith('{')) {
      name = String(membersIn(line)['object']);
      yield { name, line: undefined };
    } else yield { name, line };
  }
}

/** The lines of a file. Node's own reader ends one at other characters as well, which texts of strangers may have. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of createReadStream(file, 'utf8')) {
    const lines = `${rest}${piece as string}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Throws unless all rows are there as they were written. */
export async function checkWhole(source: string, copy: Copy): Promise<void> {
  const found: Part[] = [];
  let sum: ReturnType<typeof sumOf> | undefined;
  for await (const { name, line } of rowsIn(source)) {
    if (line !== undefined) sum?.add(line);
    else {
      if (sum !== undefined) found.push(sum.end());
      sum = sumOf(name);
    }
  }
  if (sum !== undefined) found.push(sum.end());
  const is = (part: Part | undefined, at: number): boolean =>
    part?.name === copy.parts[at]?.name && part?.rows === copy.parts[at]?.rows && part?.sha256 === copy.parts[at]?.sha256;
  const wrong = copy.parts.find((_, at) => !is(found[at], at));
  if (wrong !== undefined || found.length !== copy.parts.length)
    throw new Usage(`${source} is cut or was changed: the rows of ${wrong?.name ?? 'an object'} are not those that were copied`);
}
