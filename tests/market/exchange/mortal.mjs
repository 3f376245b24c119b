// A buyer or a seller as a process that ends itself by SIGKILL at one of its moments: before and after each request, each write of its store,
// each signature and each call of its handler.

import { buyJob, sellJobs } from '../../../pkg/dist/agent/index.js';
import { fileStore } from '../../../pkg/dist/file-store.js';
import { localSigner } from '../../../pkg/dist/index.js';

const { role, folder, dies = 0, key, headers = {}, ...options } = JSON.parse(process.env.FAREBOX_MORTAL ?? '{}');
let moment = 0;

/** @param {string} what */
function lives(what) {
  moment += 1;
  if (moment !== dies) return;
  process.stderr.write(`${what}\n`);
  process.kill(process.pid, 'SIGKILL');
  // The signal ends it before anything else can happen.
  for (;;);
}

/**
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} act
 */
async function mortal(what, act) {
  lives(`before ${what}`);
  const value = await act();
  lives(`after ${what}`);
  return value;
}

const inner = fileStore(folder);
const store = {
  read: () => inner.read(),
  replace: (/** @type {unknown} */ version, /** @type {string} */ record) => mortal('a write', () => inner.replace(version, record)),
};
/** @type {typeof fetch} */
const asks = async (input, init) => {
  const request = new Request(input, init);
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, /** @type {string} */ (value));
  const { pathname } = new URL(request.url);
  // What is counted has to be the same each time: heartbeats and looks for jobs come at any time, a job comes once.
  if (pathname.endsWith('/heartbeat')) return fetch(request);
  if (pathname.endsWith('/sellers/jobs')) return fetch(request).then(shown);
  return mortal(pathname.replace(/[0-9a-f-]{36,}/, 'ID'), () => fetch(request));
};
let isShown = false;
/** @param {Response} answer with the jobs of a seller */
async function shown(answer) {
  const { jobs = [] } = await answer.clone().json();
  if (jobs.length > 0 && !isShown) {
    isShown = true;
    lives('after a job was shown');
  }
  return answer;
}

if (role === 'buyer') {
  const signer = localSigner(key);
  const job = await buyJob({
    ...options,
    store,
    fetch: asks,
    feed: false,
    idempotencyKey: 'one',
    signer: { address: () => signer.address(), sign: (typedData) => mortal('a signature', () => signer.sign(typedData)) },
  });
  console.log(JSON.stringify(job));
} else {
  const selling = sellJobs({
    ...options,
    store,
    fetch: asks,
    feed: false,
    identity: () => key,
    heartbeatMs: 1_000,
    pollMs: 100,
    handler: (prompt, { jobId }) => (jobId === 'self-check' ? 'ready' : mortal('the handler', async () => `did ${prompt}`)),
    onEvent: (event) => console.log(JSON.stringify({ ...event, moment })),
  });
  await selling.ended;
}
