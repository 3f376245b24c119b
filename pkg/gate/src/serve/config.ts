/** The configuration of workerd for one gate. Spec: workerd.capnp of the package `workerd`. */

/** A gate on this machine. */
export type Plan = {
  /** Folder of the static files. */
  readonly pages: string;
  /** Folder of the objects' rows. */
  readonly state: string;
  /** Sockets in the file system: of workerd for requests and for the sweep, and of the program that brings the requests. */
  readonly sockets: { readonly requests: string; readonly sweep: string; readonly front: string };
  /** Names of the variables and secrets; their values are in the environment, never in a file. */
  readonly names: readonly string[];
};

/** The first date of the platform that the Worker is tested with. */
const DATE = '2026-04-01';

/** The folder, among the rows, of the objects of channels. */
export const CHANNELS = 'farebox-channel';

/** The path at which the door of the sweep says whether work goes on behind the answers, and the status that says so. */
export const UNDER_WAY = { path: '/under-way', status: 202 };

/** The entry of the Worker, with a door for the sweep, which the platform's trigger opens elsewhere. workerd waits for no work behind an answer. */
export const ENTRY = `import gate, { Channel, Ledger } from './index.js';
export { Channel, Ledger };
let underWay = 0;
const counted = (context) => ({
  waitUntil(work) {
    underWay += 1;
    context.waitUntil(Promise.resolve(work).finally(() => (underWay -= 1)));
  },
});
export default { fetch: (request, env, context) => gate.fetch(request, env, counted(context)) };
export const sweep = {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === '${UNDER_WAY.path}') return new Response(null, { status: underWay > 0 ? ${UNDER_WAY.status} : 204 });
    await gate.scheduled(undefined, env, context);
    return new Response(null, { status: 204 });
  },
};
`;

/** The file for workerd; its embedded files stand beside it. */
export function configOf({ pages, state, sockets, names }: Plan): string {
  const bindings = [
    ...names.map((name) => `(name = ${quoted(name)}, fromEnvironment = ${quoted(name)})`),
    '(name = "LEDGER", durableObjectNamespace = "Ledger")',
    '(name = "CHANNEL", durableObjectNamespace = "Channel")',
    '(name = "PAGES", service = "pages")',
    '(name = "FRONT", service = "front")',
  ];
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "gate", worker = .gate),
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
    (name = "state", disk = (path = ${quoted(state)}, writable = true)),
    (name = "pages", disk = (path = ${quoted(pages)})),
    (name = "front", external = (address = ${quoted(`unix:${sockets.front}`)}, http = ())),
  ],
  sockets = [
    (name = "requests", address = ${quoted(`unix:${sockets.requests}`)}, http = (forwardedProtoHeader = "x-farebox-proto"), service = "gate"),
    (name = "sweep", address = ${quoted(`unix:${sockets.sweep}`)}, http = (), service = (name = "gate", entrypoint = "sweep")),
  ],
);

const gate :Workerd.Worker = (
  modules = [
    (name = "entry.js", esModule = embed "entry.js"),
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = ${quoted(DATE)},
  bindings = [
    ${bindings.join(',\n    ')},
  ],
  durableObjectNamespaces = [
    (className = "Ledger", uniqueKey = "farebox-ledger", enableSql = true),
    (className = "Channel", uniqueKey = ${quoted(CHANNELS)}, enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
  globalOutbound = "internet",
);
`;
}

/** A text of Cap'n Proto. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/\\u00([0-9a-f]{2})/g, '\\x$1');
}
