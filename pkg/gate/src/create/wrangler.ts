/** The `wrangler.toml` of each project. */
import { randomInt } from 'node:crypto';

import { isThisMachine } from 'farebox/command';
import type { Route, Wanted } from './answers.js';
import { toml, tomlLines } from './toml.js';

/** The platform's date that the Workers are tested with. */
const DATE = '2026-04-01';

/** The lines that every file begins with. */
function head(schema: string, title: string, name: string): string {
  return `#:schema ${schema}
#
# ${title} Editors that know the schema say what each variable means.
# Secrets are not here: locally they are in .dev.vars; the deployed Worker has its own (\`npx wrangler secret put NAME\`).

name = ${toml(name)}
main = "worker.js"
compatibility_date = ${toml(DATE)}
`;
}

/** Storage of the objects that a Worker keeps. */
function objects(bindings: Readonly<Record<string, string>>): string {
  const bound = Object.entries(bindings).map(
    ([name, kind]) => `[[durable_objects.bindings]]\nname = ${toml(name)}\nclass_name = ${toml(kind)}\n`,
  );
  return `${bound.join('\n')}
# Never change a migration that was deployed: add one.
[[migrations]]
tag = "v1"
new_sqlite_classes = ${toml(Object.values(bindings))}
`;
}

/** The logs of a Worker, of which none shows a payment. */
const OBSERVED = `[observability]
enabled = true

# Without the headers of requests, which hold what payers have signed.
[observability.logs]
enabled = true
invocation_logs = false
`;

const AWAKE = `# Wakes the objects, so that one whose alarm was lost goes on with its payments.
[triggers]
crons = ["*/15 * * * *"]

${OBSERVED}`;

const PAGES = `# The pages that people see: a person who opens a priced URL pays in place.
[assets]
directory = "node_modules/farebox-gate/pages"
binding = "PAGES"
`;

const FILES = `# The files of public/, and the pages in which a person pays for them. The gate is asked before any file but those pages is served.
[build]
command = "node build.mjs"
watch_dir = "public"

[assets]
directory = ".site"
binding = "PAGES"
run_worker_first = ["/*", "!/_farebox/pay/*", "!/_farebox/desk/*", "!/_farebox/style.css"]
`;

/** Where a gate finds what it sells. */
export type Behind = { readonly service: string; readonly entrypoint?: string; readonly why: string };

/** What distinguishes a gate: the Worker behind it, its free paths, and whether files are sold. */
export type Front = { readonly behind?: Behind; readonly free?: readonly string[]; readonly files?: boolean };

/** A gate: in front of `ORIGIN_URL`, or of a Worker. */
export function gateToml({ name, vars }: Wanted, { behind, free = [], files = false }: Front = {}): string {
  const priced = vars['ROUTES'] as readonly Route[];
  const routes = [
    ...priced,
    ...free.filter((path) => !priced.some((route) => route.path === path)).map((path) => ({ path, price: 'free' })),
  ];
  return `${head('./node_modules/farebox-gate/schemas/wrangler.schema.json', 'A gate: requests of priced paths are paid before they are answered.', name)}
${files ? FILES : PAGES}
${objects({ LEDGER: 'Ledger', CHANNEL: 'Channel' })}
# Payments of one client network in a minute. The number is any that no other Worker of your account has.
[[ratelimits]]
name = "RATE_LIMITER"
namespace_id = ${toml(String(randomInt(1_000_000, 2_000_000_000)))}
simple = { limit = 600, period = 60 }

${AWAKE}${behind === undefined ? '' : bound(behind)}
[vars]
# Base Sepolia (test money) is eip155:84532; Base itself is eip155:8453.
NETWORK = ${toml(vars['NETWORK'])}
# The address that is paid: nobody can return what is sent to a wrong one.
PAY_TO = ${toml(vars['PAY_TO'])}
# Verifies and settles the payments.
FACILITATOR_URL = ${toml(vars['FACILITATOR_URL'])}
${rest(vars)}# The prices. Every other path is 404, because many servers give the same at /report.json or /report/index.html; "free" would forward it.
DEFAULT = "deny"
ROUTES = ${tomlLines(routes)}
`;
}

function rest({ ORIGIN_URL, RPC_URL }: Readonly<Record<string, unknown>>): string {
  const origin =
    ORIGIN_URL === undefined
      ? ''
      : `# The server behind the gate. It has to refuse requests that did not come through it.\nORIGIN_URL = ${toml(ORIGIN_URL)}\n`;
  const node = RPC_URL === undefined ? '# RPC_URL = "https://…"' : `RPC_URL = ${toml(RPC_URL)}`;
  return `${origin}# A node of that network: it tells what became of a payment whose answer was lost.\n${node}\n`;
}

function bound({ service, entrypoint, why }: Behind): string {
  return `
# ${why}
[[services]]
binding = "ORIGIN"
service = ${toml(service)}
${entrypoint === undefined ? '' : `entrypoint = ${toml(entrypoint)}\n`}`;
}

/** A Worker behind a gate, which nobody else reaches. */
export function behindToml(name: string): string {
  return `# The Worker behind the gate. It has no address of its own: whoever could ask it directly would not pay.

name = ${toml(name)}
main = "worker.js"
compatibility_date = ${toml(DATE)}
workers_dev = false
preview_urls = false

${OBSERVED}`;
}

/** The line that lets a Worker call servers of this machine, if its file names one. */
function locally(variable: string, vars: Wanted['vars']): string {
  const { hostname } = new URL(String(vars['ORIGIN_URL']));
  return isThisMachine(hostname) ? `# For tests on this machine: remove it before you deploy.\n${variable} = true\n` : '';
}

/** A treasury whose agents may pay one origin. */
export function treasuryToml({ name, vars }: Wanted): string {
  const network = [vars['NETWORK']].flat();
  return `${head('./node_modules/wrangler/config-schema.json', 'A treasury: one wallet for many agents.', name)}
# The desk, /desk/.
[assets]
directory = "node_modules/farebox-treasury/pages"
binding = "PAGES"

${objects({ TREASURY: 'Treasury' })}
${AWAKE}
[vars]
# A main network is an error here, so that a mistake costs nothing. Remove it for real money.
TEST_NETWORKS_ONLY = true
${locally('ALLOW_LOCAL_MERCHANTS', vars)}# The accounts that pay. The key of this one is the secret WALLET_KEY.
WALLETS = [
  { name = "main", networks = ${toml(network)}, secret = "WALLET_KEY" },
]
# Who spends what where, and above which amount a person is asked.
ORGANIZATIONS = [
  { name = "acme", environment = "test", policy = { allowedOrigins = [${toml(String(vars['ORIGIN_URL']).replace(/\/$/, ''))}], perMonth = { USDC = "5.00" }, reviewAbove = { USDC = "0.05" } }, agents = [{ name = "buyer" }] },
]
# A node of that network: with it the chain confirms receipts.
${vars['RPC_URL'] === undefined ? '# RPC_URL = "https://…"' : `RPC_URL = ${toml(vars['RPC_URL'])}`}
`;
}

/** A market behind a gate that exists. */
export function marketToml({ name, vars, service = 'my-gate' }: Wanted): string {
  return `${head('./node_modules/farebox-gate/schemas/market.schema.json', 'A market of skills, behind a gate.', name)}
${objects({ SKILLS: 'Skills' })}
${AWAKE}
# The gate in front, whose ORIGIN is this Worker.
[[services]]
binding = "GATE"
service = ${toml(service)}

# The treasury that pays for agents without a wallet.
# [[services]]
# binding = "TREASURY"
# service = "my-treasury"

# The gate's own CONFIG, in which the market writes what is sold: \`npx wrangler kv namespace create CONFIG\` prints the id.
[[kv_namespaces]]
binding = "CONFIG"
id = "00000000000000000000000000000000"

[vars]
# A main network is an error here, so that a mistake costs nothing. Remove it for real money.
TEST_NETWORKS_ONLY = true
${locally('ALLOW_LOCAL_SELLERS', vars)}# The gate's address.
MARKET_URL = ${toml(String(vars['ORIGIN_URL']).replace(/\/$/, ''))}
NETWORK = ${toml(vars['NETWORK'])}
`;
}
