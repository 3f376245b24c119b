/** The script of a job's page, in a browser that keeps nothing, or before a market that is crowded. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { createContext, runInContext } from 'node:vm';

import { eventually } from '../support/eventually.ts';

const SCRIPT = readFileSync(new URL('../../crates/market/src/compute/page/job.js', import.meta.url), 'utf8').replace(
  'HIDDEN_CLASS',
  '\\u202e',
);

const unheard = (): Promise<Response> => Promise.resolve(new Response('', { status: 503 }));
type Part = { textContent: string; hidden: boolean; value: string; [name: string]: unknown };

interface Opened {
  at: (id: string) => Part;
  /** The tokens that it has shown. */
  tokens: string[];
  /** How often it has taken the token out of its address. */
  cleared: () => number;
  /** Opens the job by its form. */
  submit: (token: string) => void;
  /** How often it has asked for the feed. */
  follows: () => number;
}

/** Opens the page under a token. */
function opened(storage: unknown, answer: (turn: number) => Response | Promise<Response>, feed = unheard): Opened {
  const parts = new Map<string, Part>();
  const at = (id: string): Part => {
    const part = parts.get(id) ?? {
      textContent: '',
      hidden: true,
      value: '',
      addEventListener: (_: string, heard: typeof submitted) => {
        submitted = heard;
      },
      append: () => undefined,
    };
    parts.set(id, part);
    return part;
  };
  const tokens: string[] = [];
  let [cleared, follows] = [0, 0];
  let submitted: (event: { preventDefault: () => void }) => void = () => assert.fail('it has no form');
  const fetch = async (path: string, { headers }: { headers: Record<string, string> }): Promise<Response> => {
    if (path.endsWith('/feed')) {
      follows += 1;
      return feed();
    }
    tokens.push(String(headers['authorization']));
    return answer(tokens.length);
  };
  const page = {
    document: { querySelector: () => ({ dataset: { job: 'j1' } }), getElementById: at },
    location: { hash: '#secret', pathname: '/exchange/jobs/j1' },
    history: { replaceState: () => (cleared += 1) },
    setTimeout: (run: () => void) => setTimeout(run, 5).unref(),
    fetch,
  };
  const context = createContext(page);
  Object.defineProperty(context, 'sessionStorage', storage as PropertyDescriptor);
  runInContext(SCRIPT, context);
  const submit = (token: string): void => {
    at('token').value = token;
    submitted({ preventDefault: () => undefined });
  };
  return { at, tokens, cleared: () => cleared, submit, follows: () => follows };
}

const JOB = { status: 'running', seller_id: '0x1', result: null };
const job = (): Response => Response.json(JOB);
const kept = { value: { getItem: () => null, setItem: () => undefined } };

it('shows the job where the browser keeps nothing', async () => {
  const blocked = {
    get: () => {
      throw new DOMException('no storage here', 'SecurityError');
    },
  };
  const full = {
    value: {
      getItem: () => null,
      setItem: () => {
        throw new DOMException('it is full', 'QuotaExceededError');
      },
    },
  };
  for (const storage of [blocked, full]) {
    const { at, tokens, cleared } = opened(storage, job);
    await eventually('it is shown', () => at('status').textContent === 'running');
    assert.equal(tokens[0], 'Bearer secret');
    assert.equal(cleared(), 0, 'a reload needs the address');
  }
});

it('takes the token out of its address where the tab keeps it', async () => {
  const items = new Map<string, string>();
  const storage = { getItem: (name: string) => items.get(name) ?? null, setItem: (name: string, text: string) => items.set(name, text) };
  const { at, cleared } = opened({ value: storage }, job);
  await eventually('it is shown', () => at('status').textContent === 'running');
  assert.deepEqual([cleared(), [...items.values()]], [1, ['secret']]);
});

it('follows a job once, however often its form is sent', async () => {
  const never = (): Promise<Response> => new Promise(() => undefined);
  let crowd = (_: Response): void => undefined;
  const crowded = new Promise<Response>((resolve) => (crowd = resolve));
  const { at, submit, follows } = opened(kept, (turn) => (turn === 1 ? crowded : job()), never);
  for (let turn = 0; turn < 3; turn += 1) submit('secret');
  crowd(new Response('', { status: 429 }));
  await eventually('it is followed', () => follows() > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(follows(), 1);
  assert.equal(at('feed').textContent, 'The job could not be read.');
});

it('tries the token of its form though the one before is still being asked for', async () => {
  let refuse = (_: Response): void => undefined;
  const slow = new Promise<Response>((resolve) => (refuse = resolve));
  const { at, tokens, submit } = opened(kept, (turn) => (turn === 1 ? slow : job()));
  submit('another');
  refuse(new Response('', { status: 403 }));
  await eventually('it is shown', () => at('status').textContent === 'running');
  assert.deepEqual(tokens.slice(0, 2), ['Bearer secret', 'Bearer another']);
});

it('asks again where the market is crowded, and not where the token is wrong', async () => {
  for (const status of [408, 425, 429, 503]) {
    const { at, tokens } = opened(kept, (turn) => (turn === 1 ? new Response('', { status }) : job()));
    await eventually(`it is shown after ${status}`, () => at('status').textContent === 'running' || tokens.length > 3);
    assert.equal(at('status').textContent, 'running');
  }
  const { at, tokens } = opened(kept, () => new Response('', { status: 403 }));
  await eventually('it says so', () => at('feed').textContent === 'This token reads no such job.');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(tokens.length, 1);
});
