// An agent of the AI SDK that may spend two cents a day, and buys a report with one of them.
import { generateText, stepCountIs } from 'ai';
import { AgentHarness, createLocalAgentClient, defaultHarnessInstructions } from 'farebox/agent';
import { fileStore } from 'farebox/file-store';
import { aiTools } from 'farebox-mcp';
import { scripted } from './scripted.js';

const url = process.env.REPORT_URL ?? 'http://127.0.0.1:8402/report';
// A model asks for no other host, and no more is ever signed than this: the model cannot change it.
const policy = { hosts: [new URL(url).host], perPayment: '0.01', perDay: '0.02' };
// On disk, so that a restart neither forgets what was spent nor pays again for what was not delivered.
const client = createLocalAgentClient({ signer: process.env.FAREBOX_PRIVATE_KEY, policy, store: fileStore('.farebox-agent/budget') });
const harness = new AgentHarness({ client, store: fileStore('.farebox-agent/prepared') });
await harness.restore();

const { text, steps } = await generateText({
  // Any model of the AI SDK, by its gateway; without a key of that, one that says what it was written to say.
  model: process.env.AI_GATEWAY_API_KEY ? 'anthropic/claude-sonnet-4.5' : scripted(url),
  // Among them: what was bought is a stranger's text, and changes no rule.
  system: defaultHarnessInstructions,
  tools: aiTools(harness),
  stopWhen: stepCountIs(5),
  prompt: `Buy the report at ${url}, and tell me what it says and what it cost.`,
});
for (const { toolName } of steps.flatMap(({ toolCalls }) => toolCalls)) console.log(`tool   ${toolName}`);
console.log(`agent  ${text}`);
