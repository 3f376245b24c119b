// A client that uses both tools, and pays for the one that asks for it.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { payMcpTool } from 'farebox/agent';

const server = 'http://127.0.0.1:3000/mcp';
const client = new Client({ name: 'buyer', version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(new URL(server)));
const options = { server, signer: process.env.FAREBOX_PRIVATE_KEY, policy: { hosts: ['127.0.0.1:3000'], perPayment: '0.01' } };
for (const call of [{ name: 'cities' }, { name: 'forecast', arguments: { city: 'Bergen' } }]) {
  const { result, receipt } = await payMcpTool((params) => client.callTool(params), call, options);
  console.log(`${call.name.padEnd(9)} ${result.content[0].text}, ${receipt === undefined ? 'free' : `paid in ${receipt.transaction}`}`);
}
await client.close();
