// A LangChain agent with one tool, which pays: a report for a cent, within two cents a day.
import { FareboxError, payingFetch, receiptOf } from 'farebox';
import { fileStore } from 'farebox/file-store';
import { AIMessage, createAgent, fakeModel, tool } from 'langchain';

const url = process.env.REPORT_URL ?? 'http://127.0.0.1:8402/report';
const pay = payingFetch({
  signer: process.env.FAREBOX_PRIVATE_KEY,
  // No more is ever signed than this, and for no other host: the model cannot change it.
  policy: { hosts: [new URL(url).host], perPayment: '0.01', perDay: '0.02' },
  // On disk, so that a restart does not forget what was spent.
  store: fileStore('.farebox-agent/budget'),
});

const buyReport = tool(
  async () => {
    try {
      const response = await pay(url);
      const content = await response.text();
      return `${content.trim()} paid by ${receiptOf(response)?.transaction ?? 'nobody'}`;
    } catch (error) {
      // What a model can do something about; its code and message are our words, not a seller's.
      if (error instanceof FareboxError) return `not bought: ${error.code}: ${error.message}`;
      if (error instanceof TypeError) return `not bought: ${url} did not answer`;
      throw error;
    }
  },
  {
    name: 'buy_report',
    description: 'Buys the weather report for one cent.',
    schema: { type: 'object', properties: {}, additionalProperties: false },
  },
);

const scripted = fakeModel()
  .respondWithTools([{ name: 'buy_report', args: {} }])
  .respond((messages) => new AIMessage(messages.at(-1).text));

const agent = createAgent({ model: process.env.MODEL ?? scripted, tools: [buyReport] });
const { messages } = await agent.invoke({ messages: [{ role: 'user', content: 'Buy the weather report, and tell me what it says.' }] });
console.log(`agent  ${messages.at(-1).text}`);
