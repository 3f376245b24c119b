/** Requests about the rows of a gate: what fails in between is asked again, because each may be repeated. */
import { Later, type Members, type Operator, Refused, textOf, Unreadable, Usage } from 'farebox/command';

import { FORMAT } from './file.js';

/** How often a request is made, and how long lies between at first. */
const TRIES = 6;
const PAUSE_MS = 500;

/** What the gate says of itself, for a copy to fit to. */
export type Described = {
  readonly at: number;
  readonly salt: string;
  readonly objects: readonly string[];
  readonly restores: readonly number[];
  readonly sells: boolean;
};

/** The gate. */
export async function describe(operator: Operator): Promise<Described> {
  const said = await again(() => operator.read('/_farebox/backup'));
  const { at, salt, objects, restores, sells } = said;
  const isGate = Number.isSafeInteger(at) && typeof salt === 'string' && typeof sells === 'boolean';
  if (!isGate || !Array.isArray(objects) || !Array.isArray(restores)) throw new Unreadable();
  if (said['format'] !== FORMAT) throw new Usage('the gate copies in another format: take the farebox that it was deployed with');
  return { at: Number(at), salt, objects: objects.map(String), restores: restores.map(Number), sells };
}

/** Reads the rows of an object. Returns whether it waits for the rest of a copy. */
export async function readRows(operator: Operator, object: string, row: (line: string) => void): Promise<boolean> {
  for (let after = ''; ; ) {
    const text = await again(() => operator.text('/_farebox/backup', { object, after }));
    const lines = text.split('\n').filter((line) => line !== '');
    const end = endIn(lines.pop());
    for (const line of lines) row(line);
    after = textOf(end, 'next');
    if (after === '') return textOf(end, 'state') === 'held';
  }
}

/** The last line of a page: without it the page was cut. */
function endIn(line: string | undefined): Members {
  const end: unknown = line?.startsWith('{') === true ? JSON.parse(line) : undefined;
  if (typeof end !== 'object' || end === null) throw new Later('the answer was cut: call again');
  return end as Members;
}

/** Asks once more where no answer came, or one that says nothing about the request. */
export async function again<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      const isFinal = error instanceof Refused ? error.status < 500 && error.status !== 429 : error instanceof Usage;
      if (isFinal || tries === TRIES) throw error;
      await new Promise((done) => setTimeout(done, PAUSE_MS * 2 ** tries));
    }
  }
}
