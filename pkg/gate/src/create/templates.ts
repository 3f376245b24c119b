/** The files that make each project itself; those that all have are in `project.ts`. */
import { randomBytes } from 'node:crypto';

import { gateSecrets } from '../serve/secrets.js';
import type { Route, Wanted } from './answers.js';
import type { Template } from './words.js';
import { behindToml, gateToml, marketToml, treasuryToml } from './wrangler.js';

/** A project's own part. */
export type Made = {
  readonly files: Readonly<Record<string, string>>;
  /** Secrets that it cannot do without, made at random. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Packages that its source imports, beside `farebox`. */
  readonly dependencies: Readonly<Record<string, string>>;
};

const GATE = "export { Channel, default, Ledger } from 'farebox-gate';\n";
const hex = (): string => randomBytes(32).toString('hex');

/** Makes the part of a project that its template describes. */
export const MAKERS: Readonly<Record<Template, (wanted: Wanted) => Made>> = {
  gate: (wanted) => gate({ 'worker.js': `// The gate. Its prices are in wrangler.toml.\n${GATE}`, 'wrangler.toml': gateToml(wanted) }),

  'gate-worker': (wanted) => {
    const service = wanted.service ?? `${wanted.name}-app`;
    const behind = {
      service,
      why: 'The Worker behind the gate. It has to have no other address: whoever asked it directly would not pay.',
    };
    const app = { 'app/worker.js': WORKER, 'app/wrangler.toml': behindToml(service) };
    return gate({
      'worker.js': `// The gate. Its prices are in wrangler.toml.\n${GATE}`,
      'wrangler.toml': gateToml(wanted, { behind }),
      ...(wanted.service === undefined ? app : {}),
    });
  },

  hono: (wanted) => {
    const behind = {
      service: wanted.name,
      entrypoint: 'App',
      why: 'The app in worker.js: this Worker binds its own entry point, which has no other address.',
    };
    return gate(
      { 'worker.js': honoSource(routesOf(wanted)), 'wrangler.toml': gateToml(wanted, { behind, free: ['/'] }) },
      { hono: '^4.13.19' },
    );
  },

  static: (wanted) => {
    const behind = {
      service: wanted.name,
      entrypoint: 'Site',
      why: 'The files of public/: this Worker binds its own entry point, which has no other address.',
    };
    const routes = routesOf(wanted);
    return gate({
      'worker.js': SITE,
      'build.mjs': BUILD,
      'wrangler.toml': gateToml(wanted, { behind, free: ['/', '/style.css'], files: true }),
      'public/index.html': pageOf(routes),
      'public/style.css': 'body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 40rem }\n',
      ...(routes.some(({ path }) => path === '/report.json') ? { 'public/report.json': '{ "report": "Rainfall, Tuesday" }\n' } : {}),
    });
  },

  treasury: (wanted) => ({
    files: {
      'worker.js': "// The treasury. Its rules are in wrangler.toml.\nexport { default, Treasury } from 'farebox-treasury';\n",
      'wrangler.toml': treasuryToml(wanted),
    },
    secrets: { TREASURY_SECRET: hex(), OPERATOR_TOKEN: hex(), WALLET_KEY: `0x${hex()}` },
    dependencies: {},
  }),

  market: (wanted) => ({
    files: {
      'worker.js': "// The market. Its settings are in wrangler.toml.\nexport { default, Skills } from 'farebox-market';\n",
      'wrangler.toml': marketToml(wanted),
    },
    secrets: { MARKET_SECRET: hex(), OPERATOR_TOKEN: hex(), ORIGIN_SECRET: hex(), LOOKUP_TOKEN: hex() },
    dependencies: {},
  }),
};

const routesOf = ({ vars }: Wanted): readonly Route[] => vars['ROUTES'] as readonly Route[];

function gate(files: Readonly<Record<string, string>>, dependencies: Readonly<Record<string, string>> = {}): Made {
  return { files, secrets: gateSecrets(), dependencies };
}

const WORKER = `// The Worker behind the gate: it knows nothing of payments, and is asked once for each that is delivered.
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    return Response.json({ path: pathname, payer: request.headers.get('Farebox-Payer') });
  },
};
`;

const SITE = `import { WorkerEntrypoint } from 'cloudflare:workers';

/** The files of public/: wrangler.toml binds this as ORIGIN, and the gate alone reaches it. */
export class Site extends WorkerEntrypoint {
  fetch(request) {
    return this.env.PAGES.fetch(request);
  }
}

// The gate, which everyone reaches. Its prices are in wrangler.toml.
${GATE}`;

const BUILD = `// Puts the gate's pages and your files into the one folder that wrangler.toml names. Both may have rules for headers.
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync } from 'node:fs';

const own = 'public/_headers';
rmSync('.site', { recursive: true, force: true });
cpSync('node_modules/farebox-gate/pages', '.site', { recursive: true });
cpSync('public', '.site', { recursive: true, filter: (path) => path.replaceAll('\\\\', '/') !== own });
if (existsSync(own)) appendFileSync('.site/_headers', readFileSync(own));
`;

function honoSource(routes: readonly Route[]): string {
  const handlers = routes.map(({ path, methods }) => {
    const method = (methods?.[0] ?? 'all').toLowerCase();
    const known = ['get', 'post', 'put', 'patch', 'delete', 'all'].includes(method) ? `${method}(` : `on(${JSON.stringify(methods?.[0])}, `;
    const text = JSON.stringify(path.replace(/\[([\w-]+)\]/g, ':$1'));
    return `app.${known}${text}, (c) => c.json({ path: c.req.path, payer: c.req.header('Farebox-Payer') }));`;
  });
  return `import { WorkerEntrypoint } from 'cloudflare:workers';
import { Hono } from 'hono';

const app = new Hono();
app.get('/', (c) => c.text('An app behind a gate. Its prices are in /openapi.json.\\n'));
${handlers.join('\n')}

/** The app: wrangler.toml binds it as ORIGIN, and the gate alone reaches it. */
export class App extends WorkerEntrypoint {
  fetch(request) {
    return app.fetch(request, this.env, this.ctx);
  }
}

// The gate, which everyone reaches. Its prices are in wrangler.toml.
${GATE}`;
}

function pageOf(routes: readonly Route[]): string {
  const links = routes
    .filter(({ path }) => /^[\w/.-]+$/.test(path))
    .map(({ path, price }) => `    <li><a href="${path}">${path}</a>, ${/^[$\d.]+$/.test(price) ? price : 'priced'}</li>`);
  return `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Files behind a gate</title>
  <link rel="stylesheet" href="/style.css">
  <h1>Files behind a gate</h1>
  <ul>
${links.join('\n')}
  </ul>
</html>
`;
}
