// Each guard of the agent's TypeScript is needed: without it, the test that is named here fails. Those of the compiled part are in crates/base/src/mutant.rs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';

/** A guard, what stands in its place, and the test that notices: its file and the beginning of its name. */
type Guard = readonly [what: string, file: string, guard: string, broken: string, test: readonly [file: string, name: string]];

const GUARDS: readonly Guard[] = [
  [
    'a harness that is kept needs a client that is',
    'agent/keeping.js',
    'client.keepsPayments !== false',
    'true',
    ['agent-open', 'prepared requests that are kept'],
  ],
  [
    'an open payment of the harness is resumed',
    'agent/harness.js',
    'if (other !== undefined)',
    'if (false)',
    ['agent-open', 'a control plane whose outcome is open'],
  ],
  [
    'an open payment of another process is resumed',
    'agent/harness.js',
    'if (openKey !== undefined)',
    'if (false)',
    ['agent-open', 'a process that knows no prepared request'],
  ],
  [
    'a prepared request is taken before it is executed',
    'agent/harness.js',
    'records.set(preparedId, begun);',
    '',
    ['agent-harness', 'two executions at once'],
  ],
  [
    'the first key stays',
    'agent/harness.js',
    'going.attempted === true ? going.idempotencyKey : ',
    '',
    ['agent-harness', 'an answer that is lost'],
  ],
  [
    'records without an outcome are not dropped',
    'agent/records.js',
    'isOpen(record, now) || ',
    '',
    ['agent-harness', 'prepared requests are bounded'],
  ],
  [
    'a price that the receipt contradicts is told',
    'agent/told.js',
    'isOther || isMore',
    'false',
    ['agent-harness', 'a receipt that surely names another price'],
  ],
  [
    'without a key an open payment is resumed',
    'agent/local.js',
    'const open = await this.openPayment(',
    'const open = undefined; await this.openPayment(',
    ['agent-open', 'without a key of the caller'],
  ],
  [
    'executions at once share a flight',
    'agent/local.js',
    'this.#flights.set(key, { request, ends });',
    '',
    ['agent-local', 'two executions of one prepared request'],
  ],
  [
    'the first payment under a key stands',
    'agent/local.js',
    'if (standing !== signed)',
    'if (false)',
    ['agent-local', 'two processes that pay under one key'],
  ],
  ['what was shown is what is paid', 'agent/local.js', 'if (isOther)', 'if (false)', ['agent-local', 'another payee than was shown']],
  [
    'one key is one request',
    'agent/local.js',
    'known !== undefined && known.request !== asked',
    'false',
    ['agent-local', 'one key is one request'],
  ],
  [
    'a payment is written before it leaves',
    'agent/local.js',
    'const standing = await this.#journal.claim(key, signed);',
    'const standing = signed;',
    ['agent-local', 'an answer that is lost is asked for'],
  ],
  [
    'terms of another host are not taken',
    'agent/local.js',
    'if (challenge !== undefined)\n                paidUrl(request, response);',
    '',
    ['agent-local', 'terms that came from another host'],
  ],
  [
    'no person is asked where there is no hook',
    'resume.js',
    'isDead, confirm !== undefined, now',
    'isDead, true, now',
    ['doubt', 'resume, a process each'],
  ],
  ['nor without a store', 'purchases.js', 'isDead, confirm !== undefined, now()', 'isDead, true, now()', ['doubt', 'one wrapped fetch']],
  [
    'what has ended is not made again unasked',
    'agent/local.js',
    '!isUnended(sent.ends, this.#now()) && (await isLetGo())',
    '!isUnended(sent.ends, this.#now())',
    ['agent-open', 'a payment whose nonce is the challenge'],
  ],
  [
    'an open payment ends',
    'agent/local.js',
    'if (!isUnended(sent.ends, this.#now()) && (await isLetGo()))',
    'if (false)',
    ['agent-open', 'a payment whose nonce is the challenge'],
  ],
  [
    'what has ended is signed again',
    'agent/local.js',
    'before !== undefined && !(await this.#signsAgain(key, before))',
    'before !== undefined',
    ['agent-open', 'a payment that the merchant goes on refusing'],
  ],
  [
    'only with its own nonce',
    'agent/local.js',
    "proposal.protocol === 'x402' && ",
    '',
    ['agent-open', 'a payment whose nonce is the challenge'],
  ],
  [
    'content without a receipt is over with its end',
    'agent/local.js',
    'answered !== true && ',
    '',
    ['agent-open', 'content without a receipt is over'],
  ],
  [
    'a key is a purchase',
    'fetch.js',
    'purchase ?? request.headers',
    'request.headers',
    ['agent-open', 'one key is one charge in every process'],
  ],
  [
    'what has ended gives way to what is signed again',
    'agent/journal.js',
    '!isUnended(first.ends, this.#now()) || ',
    '',
    ['agent-open', 'a payment that the merchant goes on refusing'],
  ],
  [
    'a cut answer is none that was delivered',
    'agent/local.js',
    "end !== 'longer'",
    'true',
    ['agent-bounds', 'a paid answer that is longer'],
  ],
  ['a body has an end in time', 'beginning.js', 'isLate = true;', '', ['agent-bounds', 'reading ends at its bounds']],
  [
    'a known payment is closed',
    'agent/journal.js',
    'return sent === undefined ? undefined : [key, sent, false];',
    'return undefined;',
    ['agent-open', 'a process that knows no prepared request'],
  ],
  [
    'a desk that was killed is gone on with',
    'agent/desk.js',
    "'lose', owner, -1, ''",
    "'none', owner, -1, ''",
    ['agent-open', 'a desk that was killed while it paid goes on once restore'],
  ],
  [
    'a desk takes over by itself',
    'agent/desk.js',
    '+ LEASE_MS',
    '+ Infinity',
    ['agent-open', 'a desk that was killed while it paid goes on once two minutes'],
  ],
  [
    'an open quote comes first',
    'agent/desk.js',
    'if (open !== undefined)',
    'if (false)',
    ['agent-open', 'a person who confirms another quote'],
  ],
  [
    'an open payment of fetch is resumed',
    'fetch.js',
    'if (left !== undefined)',
    'if (false)',
    ['resume', 'a call that failed without an outcome'],
  ],
  [
    'a payment of fetch is kept before it leaves',
    'fetch.js',
    'await kept?.sends(exchange, payment.url);',
    '',
    ['resume', 'a call that failed without an outcome'],
  ],
  [
    'it is open until its answer was read',
    'resume.js',
    'return whenRead(response, () => this.#payments.close(row, receipt), () => this.#payments.leave(row));',
    'await this.#payments.close(row, receipt); return response;',
    ['resume', 'an answer that breaks off'],
  ],
  [
    'a wallet that was topped up goes on',
    'fetch.js',
    'left === undefined || !isShort(error)',
    'true',
    ['resume', 'a wallet that was short'],
  ],
  [
    'only a wallet that was short goes on',
    'fetch.js',
    'left === undefined || !isShort(error)',
    'left === undefined',
    ['resume', 'a wallet that was short'],
  ],
  [
    'a wallet that has paid is short no more',
    'endpoints.js',
    'const isOpened = isPaid &&',
    'const isOpened = false &&',
    ['resume', 'a wallet that was short'],
  ],
  ['what has ended gives way', 'sent.js', 'open && (!isFull ||', 'open && (true ||', ['resume', 'what was refused and has ended']],
  [
    'content without a receipt leaves it open',
    'resume.js',
    'response.ok && receipt !== null',
    'response.ok',
    ['mcp-charges', 'payMcpTool continues'],
  ],
  [
    'content without a receipt leaves it open in memory',
    'purchases.js',
    'response.ok && receipt !== null',
    'response.ok',
    ['one-charge', 'payingFetch:'],
  ],
  [
    'a process goes on without a store',
    'purchases.js',
    'open.length === 0 ? undefined : take',
    'true ? undefined : take',
    ['resume', 'without the option'],
  ],
  [
    'a desk goes on with an open payment',
    'agent/desk.js',
    '(await this.#options.client.openPayment?.(request)) ?? ',
    '',
    ['one-charge', 'a desk:'],
  ],
  [
    'content without a receipt keeps its key',
    'agent/outcome.js',
    "outcome.kind === 'success' && isUnproven(outcome.receipt)",
    'false',
    ['agent-open', 'behind a control plane'],
  ],
  [
    'a control plane that failed may have paid',
    'agent/outcome.js',
    "outcome.kind === 'request_failed' && outcome.decision.status >= 500",
    'false',
    ['agent-open', 'a desk behind a control plane'],
  ],
  [
    'a request that hangs ends',
    'fetch.js',
    'const ends = endsIn(milliseconds);',
    'const ends = AbortSignal.timeout(milliseconds);',
    ['waiting', 'an answer that never comes'],
  ],
  [
    'what ends last ends a kept purchase',
    'resume.js',
    'Math.max(validBefore, this.#row?.trail.ends ?? 0)',
    'validBefore',
    ['resume', 'another token is signed for only once'],
  ],
  [
    'what ends last ends a purchase',
    'purchases.js',
    'Math.max(validBefore, purchase?.ends ?? 0)',
    'validBefore',
    ['resume', 'another token is signed for only once'],
  ],
  ['a host has a share', 'sent.js', 'isOpen && length > MAX_HOST_TEXT', 'false', ['resume', 'one host fills no more']],
  ['what cannot be read is not bought anew', 'resume.js', 'if (!isDead) {', 'if (false) {', ['resume', 'a purchase that cannot be read']],
  [
    'what cannot be read is left to a later call',
    'resume.js',
    'this.leave(row);\n                throw error;',
    'throw error;',
    ['resume', 'a purchase that cannot be read'],
  ],
  [
    'a long answer without a receipt is open',
    'agent/local.js',
    'isOpen: settled === undefined && !isOver,',
    '',
    ['agent-bounds', 'a long answer without a receipt'],
  ],
  [
    "content without a receipt leaves an agent's payment open",
    'agent/local.js',
    'if (isOpen)',
    'if (false)',
    ['one-charge', 'a local agent:'],
  ],
  ['a tool is a purchase', 'agent/mcp.js', 'resume, acceptPayment', 'acceptPayment', ['mcp-charges', 'payMcpTool continues']],
  [
    'a tool without a store is a purchase in its process',
    'agent/mcp.js',
    'stores.get(owner) ?? ',
    '',
    ['mcp-charges', 'payMcpTool continues'],
  ],
  ['a process knows what it is paying from each store', 'resume.js', 'paying.get(store) ?? ', '', ['mcp-charges', 'payMcpTool continues']],
  ['calls at once are purchases of their own', 'resume.js', '&& !this.#mine.has(name)', '', ['resume', 'two calls at once']],
  [
    'another request is not resumed',
    'resume.js',
    'name.startsWith(`${request} `)',
    "name.startsWith('fetch ')",
    ['resume', 'two calls at once'],
  ],
  [
    'a second process is noted before it signs',
    'agent/exchange/buyer.js',
    '{ shared: true }',
    '{}',
    ['exchange-orders', 'an order that a second process signs'],
  ],
  [
    'what a second process may sign is not released',
    'agent/exchange/buyer.js',
    'stored.trail.shared !== true',
    'true',
    ['exchange-orders', 'an order that a second process signs'],
  ],
  [
    'a signature of an order that was ended is not sent',
    'agent/exchange/buyer.js',
    "event['type'] === 'signed' && !isOf(kept?.row, trail)",
    'false',
    ['exchange-orders', 'a signature that comes after its order'],
  ],
  [
    'what one process learnt ends nothing that another has signed',
    'agent/exchange/buyer.js',
    'isSigned || row.rank > mine.rank',
    'row.rank > mine.rank',
    ['exchange-orders', 'a process that is refused with NO_SELLER_AVAILABLE'],
  ],
  [
    'a key is of one order, whichever process wrote it',
    'agent/exchange/buyer.js',
    'asks !== this.#asks',
    'false',
    ['exchange-orders', 'of two orders at once under one key'],
  ],
  [
    'a quote that lapses for two leaves its nonce',
    'agent/exchange/buyer.js',
    'drops?.shared === true',
    'false',
    ['exchange-orders', 'a quote that lapses while two processes'],
  ],
];

async function withoutGuard([, file, guard, broken, [tests, name]]: Guard): Promise<string> {
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      '--import',
      './scripts/typescript.mjs',
      '--import',
      './tests/pkg/mutant-loader.mjs',
      '--test-reporter=tap',
      '--test-timeout=20000',
      `--test-name-pattern=^${name}`,
      `tests/pkg/${tests}.test.ts`,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, FAREBOX_GUARD: JSON.stringify({ file, guard, broken }), NODE_TEST_CONTEXT: '' },
    },
  );
  let printed = '';
  child.stdout.on('data', (part: Buffer) => {
    printed += part.toString();
  });
  await once(child, 'close');
  return printed;
}

describe('guards', { concurrency: 3 }, () => {
  for (const guard of GUARDS) {
    const [what, file, , , [, name]] = guard;
    it(`${what} (${file})`, async () => {
      const printed = await withoutGuard(guard);
      assert.ok(
        printed.split('\n').some((line) => line.startsWith('not ok') && line.includes(name)),
        printed.slice(-2_000),
      );
      assert.doesNotMatch(printed, /the guard does not stand there once/);
    });
  }
});
