/** Values as TOML. */

/** A value on one line; texts of JSON are texts of TOML, but for one character that no configuration needs. */
export function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)} = ${toml(inner)}`)
    .join(', ')} }`;
}

/** A list with an entry on each line. */
export function tomlLines(values: readonly unknown[]): string {
  return `[\n${values.map((value) => `  ${toml(value)},\n`).join('')}]`;
}
