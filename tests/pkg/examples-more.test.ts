// The examples that install more than others, as a reader plays them: Python, and agents of others' libraries.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { root } from '../../scripts/steps.mjs';
import { type Examples, NOBODY, type Played, prepareExamples, served, soldOnce } from './examples.ts';
import { started } from './tarball.ts';

const CENT = 10_000n;
const TSC = 'node_modules/typescript/bin/tsc';

let examples: Examples;
before(async () => {
  examples = await prepareExamples(['workerd', 'viem', '@x402/core', '@x402/evm']);
});
after(() => examples?.remove());

test('fastapi: an app in Python behind the gate', (context) =>
  examples.play(context, 'fastapi', (played) =>
    soldOnce(played, { path: '/summaries', method: 'POST', payee: NOBODY, token: served(played.folder) }),
  ));

/** Two purchases within the budget, and a third one that signs nothing. */
async function boughtTwice({ gate, paidTo }: Played): Promise<void> {
  assert.deepEqual(await paidTo(NOBODY), [CENT, CENT]);
  assert.equal((await fetch(`${gate}/report`)).status, 402);
}

test('agent-ai-sdk: tools of the AI SDK, and its own mock model', (context) =>
  examples.play(context, 'agent-ai-sdk', async (played) => {
    await boughtTwice(played);
    // The tools fit the SDK's types too.
    const uses = readFileSync(join(played.folder, 'agent.js'), 'utf8');
    writeFileSync(
      join(played.folder, 'agent.ts'),
      uses.replace("import { scripted } from './scripted.js'", "import { scripted } from './scripted.mjs'"),
    );
    writeFileSync(join(played.folder, 'scripted.d.mts'), "export declare function scripted(url: string): import('ai').LanguageModel;\n");
    const strict =
      '--noEmit --strict --exactOptionalPropertyTypes --skipLibCheck --module nodenext --target es2022 --types node --typeRoots';
    await started(process.execPath, [join(root, TSC), ...strict.split(' '), join(root, 'node_modules/@types'), 'agent.ts'], played.folder);
  }));

test('agent-python: the official package for MCP, and farebox-mcp', (context) => examples.play(context, 'agent-python', boughtTwice));

test('agent-langchain: a tool that pays, and the fake model of LangChain', (context) =>
  examples.play(context, 'agent-langchain', boughtTwice));

test('next: a route handler behind the gate, which has no other address', (context) =>
  examples.play(context, 'next', async (played) => {
    await soldOnce(played, { path: '/report', payee: NOBODY, token: served(played.folder) });
    for (const path of ['/report/', '/report.rsc', '/report.txt', '/report?_rsc=1', '/_next/image?url=%2Freport&w=64&q=75', '/REPORT'])
      assert.doesNotMatch(await (await fetch(`${played.gate}${path}`)).text(), /Rainfall/, path);
  }));
