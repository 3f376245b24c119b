// A weather server over HTTP whose forecast costs a cent: a gate takes the money, and any MCP client that pays by x402 can buy.
import { createServer } from 'node:http';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createSellingServer, listenForGate } from 'farebox-mcp';
import { z } from 'zod';

// Your server, as it is without payments.
const weather = new McpServer({ name: 'weather', version: '1.0.0' });
const text = (words) => ({ content: [{ type: 'text', text: words }] });
weather.registerTool('cities', { description: 'Cities with a forecast.' }, () => text('Bergen, Lima'));
weather.registerTool('forecast', { description: 'A forecast, for a cent.', inputSchema: { city: z.string() } }, ({ city }) =>
  text(`Rain in ${city} until Thursday`),
);

// What is in front of it: the gate asks this process for results, and clients get terms until the gate was paid.
const upstream = new Client({ name: 'gate', version: '1.0.0' });
const [here, there] = InMemoryTransport.createLinkedPair();
await Promise.all([weather.connect(there), upstream.connect(here)]);
const selling = { gate: 'http://127.0.0.1:8402', priced: ['forecast'], listen: '127.0.0.1:8403' };
await listenForGate(selling, process.env.ORIGIN_SECRET, upstream);

createServer(async (request, response) => {
  // The gate counts what a client does by its address.
  const server = createSellingServer(selling, upstream, { address: request.socket.remoteAddress });
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on('close', () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}).listen(3000, '127.0.0.1', () => console.log('http://127.0.0.1:3000/mcp has tools'));
