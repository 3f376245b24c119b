/** The static files of the pages: those that are there at the start, and no others. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

/** Files by their path. */
export type Pages = {
  /** Whether the request was for one of them, and is answered. */
  serve(asked: IncomingMessage, answer: ServerResponse): boolean;
};

type File = { readonly bytes: Buffer; readonly headers: Record<string, string> };

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
};

/** Reads the files of a folder, with the headers of a file beside this package's code. */
export function pagesOf(folder: string, headersFile: string): Pages {
  const files = new Map<string, File>();
  if (existsSync(headersFile)) {
    const rules = JSON.parse(readFileSync(headersFile, 'utf8')) as Rules;
    for (const name of readdirSync(folder, { recursive: true }).map(String)) {
      const place = join(folder, name);
      const path = `/${name.replaceAll('\\', '/')}`;
      if (!path.startsWith('/_farebox/') || !statSync(place).isFile()) continue;
      const bytes = readFileSync(place);
      // As the platform has it: documents without their ending, an index under its folder.
      const shown = path.replace(/\/index\.html$/, '/').replace(/\.html$/, '');
      files.set(shown, { bytes, headers: { ...headersOf(path, bytes), ...matching(rules, shown) } });
    }
  }
  return {
    serve: ({ method, url = '', headers }, answer) => {
      const [path = '', query] = url.split('?');
      const isRead = method === 'GET' || method === 'HEAD';
      const file = isRead ? files.get(path) : undefined;
      if (file === undefined && isRead && files.has(`${path}/`)) {
        answer.writeHead(307, { location: `${path}/${query === undefined ? '' : `?${query}`}` }).end();
        return true;
      }
      if (file === undefined) return false;
      const isSame = headers['if-none-match'] === file.headers['etag'];
      answer.writeHead(isSame ? 304 : 200, isSame ? { etag: file.headers['etag'] } : file.headers);
      answer.end(isSame || method === 'HEAD' ? undefined : file.bytes);
      return true;
    },
  };
}

function headersOf(path: string, bytes: Buffer): Record<string, string> {
  return {
    'content-type': TYPES[path.split('.').pop() ?? ''] ?? 'application/octet-stream',
    'content-length': String(bytes.length),
    'cache-control': 'public, max-age=0, must-revalidate',
    etag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`,
  };
}

/** Headers by path, or by the beginning of one before `*`, as `_headers` of the folder names them. */
type Rules = Readonly<Record<string, { readonly set: Record<string, string> }>>;

function matching(rules: Rules, path: string): Record<string, string> {
  const fits = (rule: string): boolean => (rule.endsWith('*') ? path.startsWith(rule.slice(0, -1)) : rule === path);
  const found = Object.entries(rules).filter(([rule]) => fits(rule));
  return Object.assign({}, ...found.map(([, { set }]) => set)) as Record<string, string>;
}
