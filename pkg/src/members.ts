/** JSON of others, whose members are unknown until they are read. */
export type Members = Readonly<Record<string, unknown>>;

/** Whether it is an object of JSON, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The members of an object; of anything else none. */
export function membersOf(value: unknown): Members {
  return isObject(value) ? value : {};
}

/** The members of the object that a text is; of any other text none. */
export function membersIn(text: string): Members {
  try {
    return membersOf(JSON.parse(text));
  } catch {
    return {};
  }
}
