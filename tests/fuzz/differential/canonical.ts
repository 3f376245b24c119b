// Canonical JSON by its definition: what ECMAScript writes, with members in the order of their units of UTF-16.

/** The longest document that this project reads, bytes. */
const MAX_BYTES = 65_536;

/** The canonical text of a document; null for one that this project refuses. */
export function canonical(text: string): string | null {
  if (Buffer.byteLength(text) > MAX_BYTES) return null;
  try {
    const value = JSON.parse(text);
    return namesTwice(text) ? null : written(value);
  } catch {
    return null;
  }
}

function written(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('no number of JSON');
  if (typeof value === 'string' && !value.isWellFormed()) throw new RangeError('half of a pair');
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`;
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${written(name)}:${written(member)}`).join(',')}}`;
}

/** Whether an object of a valid document has a name twice, of which `JSON.parse` would keep the last. */
function namesTwice(text: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, string, isName] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*(:?)|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (isName) {
      const name = JSON.parse(string!);
      if (open.at(-1)!.has(name)) return true;
      open.at(-1)!.add(name);
    }
  }
  return false;
}
