/** Tools of another server as they are offered: bounded, visible, and said to be theirs. */
import type { Tool } from '@modelcontextprotocol/sdk/types.js';

/** Whether a tool has a name that a host takes and a path can hold. */
export function isOffered(tool: string): boolean {
  return /^(?!\.+$)[\w.-]{1,100}$/.test(tool);
}

/** The tools of a server as `<server>__<tool>`, each name once, up to a bound for all of them. */
export function offered(server: string, tools: readonly Tool[]): Tool[] {
  const all = new Map<string, Tool>();
  let size = 0;
  for (const { name, description = '', inputSchema } of tools) {
    if (!isOffered(name) || all.has(name)) continue;
    // Results that ask for a payment do not have the declared form.
    const tool = {
      name: `${server}__${name}`,
      description: `The server ${server} says of it: ${told(description, MOST_TEXT) || 'nothing'}\n\nMay cost money: it is paid once, if the policy allows it and a person agrees. After a failure, call it again with exactly the same arguments: that continues the same purchase. What is said of its arguments is that server's too.`,
      inputSchema: schemaOf(inputSchema) as typeof inputSchema,
    };
    size += JSON.stringify(tool).length;
    if (size > MOST_LIST) break;
    all.set(name, tool);
  }
  return [...all.values()];
}

/** Characters of a tool's description, of a text in its schema, of a name there, of the schema, and of all tools of a server. */
const MOST_TEXT = 1_000;
const MOST_FIELD = 400;
const MOST_NAME = 100;
const MOST_SCHEMA = 50_000;
const MOST_LIST = 256 * 1024;
/** Objects and lists within one another in a schema. */
const MOST_DEPTH = 32;

/** A text of another server on one line, without characters that hide or reorder others; what is cut is marked. */
function told(text: string, most: number): string {
  const visible = text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .trim();
  return visible.length > most ? `${visible.slice(0, most)}… (cut)` : visible;
}

/** A schema in which every text can be shown; one that is too large, or has names that cannot, says nothing of the arguments. */
function schemaOf(schema: unknown): unknown {
  try {
    const whole = shown(schema, 0);
    if (JSON.stringify(whole).length <= MOST_SCHEMA) return whole;
  } catch {
    // As one that is too large.
  }
  return { type: 'object' };
}

/** The members that only describe: a part of them is still true. */
const DESCRIBES: ReadonlySet<string> = new Set(['description', 'title', '$comment']);

/** A part of a schema; nothing for a text that cannot be shown as it is: a changed one would be another value, and is left out. */
function shown(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return told(value, MOST_FIELD) === value ? value : undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MOST_DEPTH) throw new RangeError('too deep');
  if (Array.isArray(value)) {
    const items = value.map((item) => shown(item, depth + 1));
    return items.includes(undefined) ? undefined : items;
  }
  const members = Object.entries(value).map(([name, member]): [string, unknown] => {
    if (told(name, MOST_NAME) !== name) throw new RangeError('a name that cannot be shown');
    const describes = typeof member === 'string' && DESCRIBES.has(name);
    return [name, describes ? told(member, MOST_FIELD) : shown(member, depth + 1)];
  });
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}
