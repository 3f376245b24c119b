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

type Part = { textContent: string; hidden: boolean; value: string; [name: string]: unknown };

/** Opens the page under a token; its parts, and the tokens that it has shown. */
function opened(storage: unknown, answer: (turn: number) => Response): { at: (id: string) => Part; tokens: string[] } {
  const parts = new Map<string, Part>();
  const at = (id: string): Part => {
    const part = parts.get(id) ?? { textContent: '', hidden: true, value: '', addEventListener: () => undefined, append: () => undefined };
    parts.set(id, part);
    return part;
  };
  const tokens: string[] = [];
  const fetch = async (path: string, { headers }: { headers: Record<string, string> }): Promise<Response> => {
    if (path.endsWith('/feed')) return new Response('', { status: 503 });
    tokens.push(String(headers['authorization']));
    return answer(tokens.length);
  };
  const page = {
    document: { querySelector: () => ({ dataset: { job: 'j1' } }), getElementById: at },
    location: { hash: '#secret', pathname: '/exchange/jobs/j1' },
    history: { replaceState: () => undefined },
    setTimeout: (run: () => void) => setTimeout(run, 5).unref(),
    fetch,
  };
  const context = createContext(page);
  Object.defineProperty(context, 'sessionStorage', storage as PropertyDescriptor);
  runInContext(SCRIPT, context);
  return { at, tokens };
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
    const { at, tokens } = opened(storage, job);
    await eventually('it is shown', () => at('status').textContent === 'running');
    assert.equal(tokens[0], 'Bearer secret');
  }
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
