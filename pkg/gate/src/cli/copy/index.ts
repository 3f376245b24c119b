/** `backup` and `restore` with `--at`: the rows of any gate, by its operator API. Spec: docs/operations.md, "Copies of the ledger". */
import { EXIT, type Operator, operatorOf, Refused, tell, Unreadable, Usage } from 'farebox/command';

import { again, type Described, describe, readRows } from './client.js';
import { beginOf, checkWhole, copyIn, type Part, rowsIn, sumOf, writeCopy } from './file.js';

/** The object that lists the channels, and how the names of those begin that it tells of. */
const LIST = 'channels';
const CHANNELS = 'channel/';
const PAYEES = 'payee/';
/** Letters of a page. */
const PAGE = 262_144;

/** Copies the rows of the gate at an address, or puts them into it. */
export async function copyAt(name: 'backup' | 'restore', at: string, place: string): Promise<number> {
  const operator = operatorOf(at);
  try {
    if (name === 'backup') await backUpAt(operator, place);
    else await restoreAt(operator, place);
    return EXIT.done;
  } catch (error) {
    if (error instanceof Unreadable) tell(`farebox: ${error.message}\n`);
    else if (error instanceof Refused) tell(`farebox: ${sayWhy(error)}\n`);
    else throw error;
    return EXIT.failed;
  }
}

function sayWhy(error: Refused): string {
  const { status, code, parameter, message } = error;
  if (status === 401) return '401 unauthorized: FAREBOX_OPERATOR_TOKEN is another one than there';
  if (code !== 'restore_refused') return `${status}${code === '' ? '' : ` ${code}`}: ${message}`;
  const whys: Readonly<Record<string, string>> = {
    LEDGER_SALT: 'the gate has another LEDGER_SALT, by which nothing of the copy would be found: give it that of the gate that was copied',
    LEDGER_CLOSED_BEFORE:
      'what was paid since the copy began would be sold again: set LEDGER_CLOSED_BEFORE of this gate to now, in unix seconds, before any time that the copied gate has there',
    ROUTES:
      'a route of the gate sells by session, and channels are held only as their rows come: deploy it without such routes until the restore has ended',
    version: 'the rows are of another version: deploy the version of the gate that was copied, restore, then deploy this one',
    copy: 'another copy is being restored here, or none: call again from the beginning',
  };
  return `nothing was changed: ${whys[parameter] ?? `${parameter} holds rows, and nothing is written over them: restore into a gate that has sold nothing`}`;
}

async function backUpAt(operator: Operator, target: string): Promise<void> {
  const copy = await writeCopy(target, async (write) => {
    const gate = await describe(operator);
    const parts: Part[] = [];
    const known = new Set<string>();
    const copyOf = async (name: string, see: (line: string) => void = () => {}): Promise<void> => {
      const sum = sumOf(name);
      write(beginOf(name));
      const isHeld = await readRows(operator, name, (line) => {
        write(line);
        sum.add(line);
        see(line);
      });
      if (isHeld) throw new Usage('a copy is being restored there: end that first');
      parts.push(sum.end());
    };
    const copyListed = async (names: readonly string[]): Promise<void> => {
      for (const name of names.filter((it) => !known.has(it))) {
        known.add(name);
        await copyOf(name);
      }
    };
    for (const name of gate.objects.filter((it) => it !== LIST)) await copyOf(name);
    await copyListed(await listedIn(operator));
    // After the channels, because these count as listed once they have told the list.
    const more: string[] = [];
    await copyOf(LIST, (line) => more.push(...nameIn(line)));
    await copyListed(more);
    const after = await describe(operator);
    if (!isSame(gate, after)) throw new Usage('the settings of the gate were changed meanwhile: call again');
    return { begun: gate.at, ended: after.at, salt: gate.salt, restores: gate.restores, closed: !gate.sells && !after.sells, parts };
  });
  const rows = copy.parts.reduce((sum, part) => sum + part.rows, 0);
  const then = copy.closed
    ? 'The gate sold nothing meanwhile: as long as it sells nothing more, nothing that was paid buys again by it.'
    : 'It sold meanwhile: what was paid since it began may be missing, and a restore needs LEDGER_CLOSED_BEFORE.';
  tell(`${target} has ${rows} rows of ${copy.parts.length} objects and no secret: keep LEDGER_SALT and GATE_SECRET elsewhere. ${then}\n`);
}

const isSame = (one: Described, other: Described): boolean =>
  one.salt === other.salt && String(one.restores) === String(other.restores) && String(one.objects) === String(other.objects);

/** The objects that the list of channels tells of, accounts after channels: these hand over to them. */
async function listedIn(operator: Operator): Promise<readonly string[]> {
  const names: string[] = [];
  await readRows(operator, LIST, (line) => names.push(...nameIn(line)));
  return [...names.filter((name) => !name.startsWith(PAYEES)), ...names.filter((name) => name.startsWith(PAYEES))];
}

/** The object that a row of the list tells of. */
function nameIn(line: string): readonly string[] {
  const [table, row] = JSON.parse(line) as [unknown, { readonly id?: unknown } | null];
  if (table !== 'listed' || typeof row?.id !== 'string') return [];
  return [row.id.startsWith(PAYEES) ? row.id : `${CHANNELS}${row.id}`];
}

async function restoreAt(operator: Operator, source: string): Promise<void> {
  const copy = copyIn(source);
  await checkWhole(source, copy);
  const gate = await describe(operator);
  const fixed = copy.parts.filter(({ name }) => !isListed(name));
  const missing = fixed.find(({ name }) => !gate.objects.includes(name));
  // The gate looks itself, and says which setting it is.
  if (missing !== undefined && gate.salt === copy.salt)
    throw new Usage(
      `nothing was changed: the gate has no ${missing.name}, so LEDGER_SHARDS is another one than where the copy was made: set that, or "new,old"`,
    );
  const deed = (parameters: Readonly<Record<string, string | undefined>>, page?: string) =>
    again(() => operator.post('/_farebox/restore', { copy: copy.copy, ...parameters }, page));
  const until = copy.closed ? undefined : String(copy.ended);
  const begun = await deed({ do: 'begin', salt: copy.salt, until, restores: copy.restores.join(',') });
  // Once objects were let go, all rows were there and looked at.
  if (begun['next'] !== 'opened') {
    await putRows(source, deed);
    for (const part of copy.parts) await checkPart(operator, part);
    for (const { name, rows } of copy.parts) if (isListed(name) && rows > 0) await deed({ do: 'open', object: name });
  }
  await deed({ do: 'end' });
  const then = copy.closed ? '' : ' Keep LEDGER_CLOSED_BEFORE for as long as docs/upkeep.md, "Restore from a backup", says.';
  const owed = 'What they owe may have been paid back since the copy: a refund of it needs --restored.';
  tell(`All rows of ${source} are there, as they were copied. ${owed}${then}\n`);
}

const isListed = (name: string): boolean => name.startsWith(CHANNELS) || name.startsWith(PAYEES);

type Deed = (parameters: Readonly<Record<string, string | undefined>>, page?: string) => Promise<Readonly<Record<string, unknown>>>;

/** Sends all rows, page by page. What is there already is told by the gate, and left out. */
async function putRows(source: string, deed: Deed): Promise<void> {
  let [object, page, next, lines, size]: [string, number, number, string[], number] = ['', 0, 0, [], 0];
  const send = async (): Promise<void> => {
    if (lines.length === 0) return;
    if (page >= next) next = Number((await deed({ do: 'page', object, page: String(page) }, `${lines.join('\n')}\n`))['next']);
    if (!(next > page)) throw new Unreadable();
    [page, lines, size] = [page + 1, [], 0];
  };
  for await (const { name, line } of rowsIn(source)) {
    if (line === undefined) {
      await send();
      [object, page, next] = [name, 0, 0];
      continue;
    }
    lines.push(line);
    size += line.length;
    if (size >= PAGE) await send();
  }
  await send();
}

/** Throws unless an object has what was copied. One that was let go had it then, and goes on since. */
async function checkPart(operator: Operator, part: Part): Promise<void> {
  const sum = sumOf(part.name);
  const isHeld = await readRows(operator, part.name, sum.add);
  const { rows, sha256 } = sum.end();
  if (isHeld && (rows !== part.rows || sha256 !== part.sha256))
    throw new Usage(
      `${part.name} has other rows than were copied, and the gate stays closed: restore into another one, and tell what has happened`,
    );
}
