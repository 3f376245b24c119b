// Pages of an origin of their own, as a shop would serve them: the packed package, bundled, under a strict policy.

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as esbuild from 'esbuild';

import { serve } from '../../demo/server.mjs';
import { root } from '../../scripts/steps.mjs';
import { installedProject, packPackage, temporaryFolder } from '../pkg/tarball.ts';

export interface Pages {
  url: string;
  /** Lets pages talk to these origins, besides their own. */
  allow(origins: readonly string[]): void;
  stop(): Promise<void>;
}

const SCRIPTS = ['wallet', 'session', 'tab', 'agent', 'reload', 'resume'];
const TYPES: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css' };

/** Packs, installs, bundles and serves: `/<name>` is the page of `pages/<name>.js`. */
export async function startPages(): Promise<Pages> {
  const folder = temporaryFolder();
  const project = join(folder.path, 'page');
  await installedProject(project, await packPackage(folder.path), { 'package.json': '{"name":"page","private":true}' });
  cpSync(join(root, 'tests/browser/pages'), project, { recursive: true });
  const { warnings } = await esbuild.build({
    absWorkingDir: project,
    entryPoints: SCRIPTS.map((name) => `${name}.js`),
    outdir: join(project, 'out'),
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    nodePaths: [join(root, 'node_modules')],
    logLevel: 'silent',
  });
  if (warnings.length > 0) throw new Error(JSON.stringify(warnings));
  const page = readFileSync(join(project, 'page.html'), 'utf8');
  let others: readonly string[] = [];
  // Nothing inline, nothing of others; WebAssembly alone is compiled from bytes.
  const policy = (): string =>
    [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "style-src 'self'",
      `connect-src ${others.join(' ')}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; ');
  const { url, stop } = await serve((request, response) => {
    const [, name = ''] = new URL(request.url ?? '/', 'http://page').pathname.split('/');
    const [stem = '', kind = 'html'] = name.split('.');
    const answer = (status: number, text: string): void => {
      response
        .writeHead(status, {
          'content-type': TYPES[kind] ?? 'text/plain',
          'content-security-policy': policy(),
          'cache-control': 'no-store',
        })
        .end(text);
    };
    if (kind === 'html') return SCRIPTS.includes(stem) ? answer(200, page.replace('{{script}}', `${stem}.js`)) : answer(404, '');
    if (kind === 'css') return answer(200, readFileSync(join(project, 'page.css'), 'utf8'));
    return /^[\w-]+$/.test(stem) ? answer(200, readFileSync(join(project, 'out', `${stem}.js`), 'utf8')) : answer(404, '');
  });
  return {
    url,
    allow: (origins) => {
      others = origins;
    },
    stop: async () => {
      await stop();
      folder.remove();
    },
  };
}
