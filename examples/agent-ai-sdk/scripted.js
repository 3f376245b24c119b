// A model without an account: the AI SDK's own mock, which calls two tools and reads out what they say.
import { MockLanguageModelV3 } from 'ai/test';

const usage = { inputTokens: { total: 0 }, outputTokens: { total: 0 } };

export function scripted(url) {
  return new MockLanguageModelV3({
    doGenerate: async ({ prompt }) => {
      const results = prompt.filter(({ role }) => role === 'tool').map(({ content }) => content[0].output.value);
      const call = (toolName, input) => ({
        content: [{ type: 'tool-call', toolCallId: toolName, toolName, input: JSON.stringify(input) }],
        finishReason: { unified: 'tool-calls' },
        usage,
        warnings: [],
      });
      const [prepared, bought] = results;
      if (prepared === undefined) return call('prepare_paid_request', { url });
      if (prepared.nextAction === 'execute' && bought === undefined)
        return call('execute_prepared_request', { preparedId: prepared.preparedId });
      const failed = prepared.toolError ?? bought?.toolError;
      const text = failed?.message ?? `${prepared.costSummary} ${bought?.reason ?? bought?.merchantResponse?.body ?? ''}`;
      return { content: [{ type: 'text', text }], finishReason: { unified: 'stop' }, usage, warnings: [] };
    },
  });
}
