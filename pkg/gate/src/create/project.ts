/** The files that every project has. */
import { packedFile } from 'farebox/command';

import type { Route, Wanted } from './answers.js';
import { MAKERS } from './templates.js';
import { TEMPLATES, type Template } from './words.js';

/** A file to be written. */
export type ProjectFile = { readonly path: string; readonly text: string; readonly mode?: number };

/** The packages that the project installs, beside those of its source. */
const WRANGLER = '^4.86.0';

/** The Workers that have a package of their own; a gate's is that of the commands. */
const WORKERS: Partial<Record<Template, string>> = { treasury: 'farebox-treasury', market: 'farebox-market' };

/** The packages that a project has, as files. */
export function packedFor(template: Template): string {
  const worker = WORKERS[template];
  return ['farebox', 'farebox-gate', ...(worker === undefined ? [] : [worker])].map(packedFile).join(' ');
}

/** The scripts of `package.json`, which are the same everywhere. */
export const SCRIPTS = { check: 'farebox check', dev: 'farebox dev', deploy: 'farebox deploy' } as const;

/** All files of a project, each with the folders above it. */
export function filesOf(wanted: Wanted): readonly ProjectFile[] {
  const { files, secrets, dependencies } = MAKERS[wanted.template](wanted);
  const manifest = {
    name: wanted.name,
    private: true,
    type: 'module',
    engines: { node: '>=20' },
    scripts: SCRIPTS,
    // The files that are installed name farebox here: by its name alone a program of somebody else would come.
    dependencies,
    devDependencies: { wrangler: WRANGLER },
  };
  return [
    { path: 'package.json', text: `${JSON.stringify(manifest, null, 2)}\n` },
    ...Object.entries(files).map(([path, text]) => ({ path, text })),
    { path: '.gitignore', text: 'node_modules/\n.wrangler/\n.site/\n.dev.vars\n.dev.vars.*\n!.dev.vars.example\n' },
    { path: '.dev.vars', text: secretsText(secrets), mode: 0o600 },
    { path: '.dev.vars.example', text: exampleText(secrets) },
    { path: '.github/workflows/check.yml', text: WORKFLOW },
    { path: 'README.md', text: readme(wanted, Object.keys(secrets)) },
  ];
}

/** The same without nodes whose URLs have a key: these files are committed. */
export function withoutKey(wanted: Wanted): { readonly wanted: Wanted; readonly isWithheld: boolean } {
  const { RPC_URL, ...vars } = wanted.vars;
  if (RPC_URL === undefined) return { wanted, isWithheld: false };
  const hasKey = nodesIn(RPC_URL).some(hasKeyIn);
  return { wanted: hasKey ? { ...wanted, vars } : wanted, isWithheld: hasKey };
}

/** One node, or one for each network: as an object, or as its text. */
function nodesIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'string') return Object.values(value ?? {});
  if (URL.canParse(value)) return [value];
  try {
    return nodesIn(JSON.parse(value));
  } catch {
    return [value];
  }
}

/** Whether anything in a URL may be a key; so is what is no URL. */
function hasKeyIn(node: unknown): boolean {
  if (typeof node !== 'string' || !URL.canParse(node)) return true;
  // One with a user or a password was refused before.
  const { search, pathname, hostname } = new URL(node);
  return search !== '' || `${hostname}/${pathname}`.split(/[^0-9a-z]+/i).some((part) => part.length >= 16);
}

function secretsText(secrets: Readonly<Record<string, string>>): string {
  return `# Secrets of this machine alone, made at random. Git ignores this file.\n${Object.entries(secrets)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')}`;
}

function exampleText(secrets: Readonly<Record<string, string>>): string {
  return `# Copy to .dev.vars, which git ignores. \`openssl rand -hex 32\` makes a value.\n${Object.keys(secrets)
    .map((name) => `${name}=\n`)
    .join('')}`;
}

const WORKFLOW = `name: check
on: [push, pull_request]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 22
          cache: npm
      - run: npm ci
      - run: npm run check
`;

/** What `farebox dev` prints of a project that is no gate. */
const PRINTED: Readonly<Record<string, string>> = {
  treasury: 'the line that makes a key for an agent',
  market: 'the line that publishes a skill',
};

function readme(wanted: Wanted, secrets: readonly string[]): string {
  const { template, name } = wanted;
  return `# ${name}

${TEMPLATES[template].replace(/^./, (letter) => letter.toUpperCase())}, with Farebox. Prices and settings are in \`wrangler.toml\`.

\`\`\`sh
# Once, with the files that \`npm run pack\` wrote: the packages are not on npm yet.
npm install ${packedFor(template)}
npm run check     # finds what is wrong in wrangler.toml, before it is deployed
npm run dev       # runs it here, and prints ${PRINTED[template] ?? 'the lines that buy'}
npm run deploy    # checks, then deploys
\`\`\`

${afterwards(wanted)}
## Secrets

\`.dev.vars\` has random ones for this machine. The deployed Worker has its own, which Cloudflare does not show again: keep a copy.

\`\`\`sh
${secrets.map((secret) => `npx wrangler secret put ${secret}`).join('\n')}
\`\`\`
${secrets.includes('LEDGER_SALT') ? '\n`LEDGER_SALT` is never changed: payments of before would not be found. `openssl rand -hex 32` makes a value.\n' : '\n`openssl rand -hex 32` makes a value.\n'}`;
}

/** The one thing that differs between templates, for a person who has just begun. */
function afterwards({ template, vars, name, service }: Wanted): string {
  if (template === 'treasury')
    return `## Agents

\`WALLET_KEY\` is the key of the wallet that pays. The one in \`.dev.vars\` is random and has no money: put your own there. Make a key for an agent,
with the operator's token of \`.dev.vars\` and while \`npm run dev\` runs:

\`\`\`sh
curl -X POST -H "Authorization: Bearer $OPERATOR_TOKEN" http://127.0.0.1:8787/api/organizations/acme/agents/buyer/bootstrap-keys
\`\`\`

Give its \`bootstrapKey\` to \`createAgentPayClient\` of \`farebox/agent\`.
`;
  if (template === 'market')
    return `## The gate in front

The market and its gate name each other, and Cloudflare refuses a Worker that names one it does not know. So deploy the gate ${service ?? 'my-gate'}
first, with its own \`CONFIG\` (KV) and any origin; then this market; then set the gate's origin to this Worker
(\`[[services]]\`, \`binding = "ORIGIN"\`, \`service = "${name}"\`) and deploy it again. Both need the same \`ORIGIN_SECRET\`, and the
treasury the same \`LOOKUP_TOKEN\`: on this machine, copy them from \`.dev.vars\` into theirs.
`;
  const [route] = vars['ROUTES'] as readonly Route[];
  const words = route?.methods === undefined || route.methods[0] === 'GET' ? '' : `-X ${route.methods[0]} `;
  const close =
    template === 'gate'
      ? '\n\nThe server behind the gate has to refuse everyone else: by network, or by verifying `Farebox-Signature-V2` with the secret\n`ORIGIN_SECRET`, which you set like those below.'
      : '';
  return `## Buying

\`\`\`sh
FAREBOX_PRIVATE_KEY=0x… npx --no farebox pay ${words}'https://${name}.<your subdomain>.workers.dev${route?.path ?? '/'}'
\`\`\`

The key needs the money and no gas. Test money (USDC on Base Sepolia) is free at <https://faucet.circle.com>.${close}
`;
}
