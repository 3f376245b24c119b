/** The table of wrong configurations, and wrangler.toml files made of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };
export type Vars = { readonly [name: string]: Value };
export type Case = {
  readonly name: string;
  /** What replaces the base; null takes out. */
  readonly set?: { readonly [name: string]: Value | null };
  /** One more route. */
  readonly route?: Value;
  readonly variable: string;
  readonly says: string;
};

type Table = { readonly base: Vars; readonly secrets: Vars; readonly cases: readonly Case[] };

/** The repository, until it has an address: docs/deploy.md, "The button". */
export const PLACEHOLDER = 'https://github.com/YOUR-NAME/YOUR-REPOSITORY';

export const TABLE = JSON.parse(readFileSync('tests/configuration/wrong.json', 'utf8')) as Table;

const SECRET = /^(GATE_SECRET|GATE_SECRET_PREVIOUS|LEDGER_SALT|OPERATOR_TOKEN|WEBHOOK_SECRET|API_KEYS|F_TOKEN|CDP_\w+|OKX_\w+)$/;

/** The variables of a case, and its secrets apart. */
export function settingsOf({ set = {}, route }: Partial<Case>): { vars: Vars; secrets: Vars } {
  const all = Object.entries({ ...TABLE.base, ...TABLE.secrets, ...set }).flatMap(([name, value]): [string, Value][] => {
    if (value === null) return [];
    return [[name, name === 'ROUTES' && route !== undefined ? [...(value as readonly Value[]), route] : value]];
  });
  const pick = (isSecret: boolean): Vars => Object.fromEntries(all.filter(([name]) => SECRET.test(name) === isSecret));
  return { vars: pick(false), secrets: pick(true) };
}

export type Folder = { readonly path: string; readonly file: string; write(text: string, secrets?: Vars): void; remove(): void };

/** A folder for one wrangler.toml and its `.dev.vars`. */
export function openFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'farebox-check-'));
  const file = join(path, 'wrangler.toml');
  return {
    path,
    file,
    write: (text, secrets) => {
      writeFileSync(file, text);
      rmSync(join(path, '.dev.vars'), { force: true });
      const lines = Object.entries(secrets ?? {}).map(([name, value]) => `${name}="${String(value)}"\n`);
      if (lines.length > 0) writeFileSync(join(path, '.dev.vars'), lines.join(''));
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** What stands around the variables, so that nothing but a case is wrong. */
export const HEAD = `name = "gate"
main = "index.js"
compatibility_date = "2026-04-01"
workers_dev = true
triggers = { crons = ["*/15 * * * *"] }

[[durable_objects.bindings]]
name = "LEDGER"
class_name = "Ledger"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Ledger"]
`;

/** A wrangler.toml with these variables, one to a line, a route to a line. */
export function tomlOf(vars: Vars, { head = HEAD, table = 'vars' } = {}): string {
  const lines = Object.entries(vars).map(([name, value]) => {
    const text = Array.isArray(value) ? `[\n${value.map((one: Value) => `  ${inline(one)},\n`).join('')}]` : inline(value);
    return `${name} = ${text}\n`;
  });
  return `${head}\n[${table}]\n${lines.join('')}`;
}

function inline(value: Value): string {
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)} = ${inline(inner)}`)
    .join(', ')} }`;
}
