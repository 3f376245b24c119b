/** The routes that the code of the Workers has, and those of docs/limits.md. */
import { readFileSync } from 'node:fs';

import { namesIn, rowsOf } from './documented.ts';

export type Worker = 'gate' | 'treasury' | 'market' | 'exchange';
export type Route = { readonly method: string /** With `{}` for what differs. */; readonly path: string };

/** The sections of docs/limits.md that have a row for each route. */
export const SECTIONS: Readonly<Record<Worker, string>> = {
  gate: '## The gate',
  treasury: '## The treasury',
  market: '## The market',
  exchange: '## The exchange',
};

/** Stands for any number of parts in a path of the code. */
const REST = '**';
/** A prefix of patterns that are matched with what others leave of a path. */
const BELOW = '*';

/** A file with routes, and below which prefix the patterns of its functions are paths. */
type Source = { readonly file: string; readonly functions: Readonly<Record<string, string>> };
const SOURCES: Readonly<Record<Worker, readonly Source[]>> = {
  gate: [],
  treasury: [
    {
      file: 'src/treasury/routes.rs',
      functions: {
        agents: '/api/sdk',
        lookups: '/api/lookup',
        links: '/api/v6/pay/a2a',
        operators: '/api/organizations/{}',
        allowed: '/api/organizations/{}',
      },
    },
  ],
  market: [
    { file: 'src/market/routes.rs', functions: { read: '', marketplace: '/api/marketplace', shown: '', allowed: '/api/marketplace' } },
    { file: 'crates/market/src/skills/original/mod.rs', functions: { methods: '', original: '' } },
  ],
  exchange: [
    { file: 'src/market/exchange/routes.rs', functions: { read: '', asked: BELOW, methods: '' } },
    { file: 'src/market/exchange/views.rs', functions: { read: '', looked: '', operator_view: '/api/v1/operator' } },
  ],
};
/** Paths that are compared as text. */
const PLAIN: Readonly<Record<Worker, readonly string[]>> = {
  gate: ['crates/gate/src/publish/document.rs', 'crates/gate/src/receipts.rs', 'crates/gate/src/operator.rs'],
  treasury: ['src/treasury/routes.rs'],
  market: ['src/market/routes.rs'],
  exchange: ['src/market/exchange/routes.rs', 'src/market/exchange/views.rs'],
};

/** The paths of a Worker that its code matches. */
export function pathsInCode(worker: Worker): Set<string> {
  const paths = new Set<string>();
  for (const { file, functions } of SOURCES[worker]) {
    for (const [name, text] of functionsOf(file)) {
      const patterns = patternsIn(text);
      const prefix = functions[name];
      if (patterns.length > 0 && prefix === undefined) throw new Error(`${file}: fn ${name} matches paths; say below which prefix`);
      for (const pattern of patterns) paths.add(`${prefix}/${pattern}`.replace(/\/$/, '') || '/');
    }
  }
  if (worker === 'gate') for (const place of gatesOwn()) paths.add(place);
  return paths;
}

/** The texts that begin with a slash in a Worker's routes: whole paths, or beginnings of some. */
export function prefixesInCode(worker: Worker): Set<string> {
  const texts = PLAIN[worker].flatMap((file) => [...withoutComments(file).matchAll(/"(\/[\w./-]+)"/g)].map(([, text = '']) => text));
  return new Set(texts);
}

/** A route with the proof that it needs, and the statuses of requests without it. */
export type Documented = Route & {
  readonly proof: string;
  readonly without: readonly number[];
  /** Whether it tells of turns. */
  readonly isInTurns: boolean;
};

/** The routes that docs/limits.md has rows for. */
export function documentedRoutes(worker: Worker): readonly Documented[] {
  const known =
    documented.get(worker) ??
    rowsOf('docs/limits.md', SECTIONS[worker]).flatMap((cells) => {
      const [names = '', proof = '', , , without = ''] = cells;
      return namesIn(names).flatMap((name) => {
        const [methods = '', path = ''] = name.split(' ');
        return methods
          .split(',')
          .map((method) => ({
            method,
            path: path.replace(/\{\w*\}/g, '{}'),
            proof,
            without: (without.match(/\b[2-5]\d\d\b/g) ?? []).map(Number),
            isInTurns: /\bturns?\b/.test(without),
          }));
      });
    });
  documented.set(worker, known);
  return known;
}
const documented = new Map<Worker, readonly Documented[]>();

/** Whether some of these routes has a path of the code. */
export function has(routes: readonly Route[], inCode: string): boolean {
  const wanted = inCode.split('/');
  return routes.some(({ path }) => {
    const all = path.split('/');
    const parts = wanted[0] === BELOW ? all.slice(Math.max(0, all.length - wanted.length + 1)) : all;
    const like = wanted[0] === BELOW ? wanted.slice(1) : wanted;
    const until = like.at(-1) === REST ? like.length - 1 : like.length;
    return (
      (until < like.length ? parts.length >= until : parts.length === until) &&
      like.slice(0, until).every((part, index) => part === '{}' || part === parts[index])
    );
  });
}

/** Whether a path, with anything for `{}`, is of a route. */
export function isOf({ path }: Route, asked: string): boolean {
  const [parts, given] = [path.split('/'), (asked.split('?')[0] ?? '').split('/')];
  return parts.length === given.length && parts.every((part, index) => part === '{}' || part === given[index]);
}

/** The path among these that a request is for: the one with the fewest parts that may be anything. */
export function pathOf(routes: readonly Route[], asked: string): string | undefined {
  const open = (path: string): number => path.split('{}').length;
  return routes
    .filter((route) => isOf(route, asked))
    .map(({ path }) => path)
    .sort((one, other) => open(one) - open(other))[0];
}

/** The bodies of a file's functions, by name. */
function functionsOf(file: string): Map<string, string> {
  const [, ...pieces] = withoutComments(file).split(/\nfn |\n(?:pub(?:\([\w: ]+\))? )fn |\n {4}(?:pub(?:\([\w: ]+\))? )?fn /);
  return new Map(pieces.map((piece) => [/^\w+/.exec(piece)?.[0] ?? '', piece]));
}

/** The paths that slices of text are matched with, each choice of their alternatives by itself; a list that is lent (`&[…]`) is no pattern. */
function patternsIn(text: string): string[] {
  const found: string[] = [];
  for (const [, inside = ''] of text.matchAll(
    /(?<!&)\[((?:\s*(?:"[^"]*"(?:\s*\|\s*"[^"]*")*|(?:\w+ @ )?\.\.|\w+)\s*,?)+)\](?!\s*=[^>])/g,
  )) {
    const parts = inside
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    if (!inside.includes('"') || parts.some((part) => /^[A-Z]/.test(part))) continue;
    const choices = parts.map((part) =>
      part.includes('"') ? [...part.matchAll(/"([^"]*)"/g)].map(([, word = '']) => word) : [part.includes('..') ? REST : '{}'],
    );
    found.push(
      ...choices.reduce<string[]>(
        (all, words) => all.flatMap((path) => words.map((word) => (path === '' ? word : `${path}/${word}`))),
        [''],
      ),
    );
  }
  return found;
}

/** The gate's own paths, which are matched part by part. */
function gatesOwn(): string[] {
  const text = functionsOf('crates/gate/src/operator/path.rs').get('of') ?? '';
  const reserved = functionsOf('src/worker/mod.rs').get('reserved') ?? '';
  const shown = [...reserved.matchAll(/\("(\/[\w./-]+)", /g)].map(([, rest = '']) => `/_farebox${rest}`);
  return [
    ...shown,
    ...[...text.matchAll(/\("(\w+)", (None|Some\(id\)), (None|Some\("(\w+)"\))\)/g)].map(([, first, id, , last]) =>
      ['/_farebox', first, ...(id === 'None' ? [] : ['{}']), ...(last === undefined ? [] : [last])].join('/'),
    ),
  ];
}

function withoutComments(file: string): string {
  return (
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => !line.trim().startsWith('//'))
      .join('\n')
      .split('#[cfg(test)]')[0] ?? ''
  );
}
