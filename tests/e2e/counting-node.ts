// A node between gate and chain: it counts what it is asked, and holds back transactions or has no such method when it is told to.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CountingNode {
  url: string;
  stop(): void;
  /** Requests so far. */
  asked: number;
  /** What was sent since this was set: the sender is told that it is taken, and no block gets it. */
  held: string[] | undefined;
  /** A method that it does not have. */
  lacks: string | undefined;
  /** How often it was asked for each method. */
  methods: Map<string, number>;
}

interface RpcCall {
  id: unknown;
  method: string;
}

/** Starts one before the node at this URL. */
export async function countingNode(url: string): Promise<CountingNode> {
  const server = createServer((request, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      node.asked += 1;
      const body = Buffer.concat(parts).toString();
      response.setHeader('content-type', 'application/json');
      if (node.held !== undefined && body.includes('eth_sendRawTransaction')) {
        node.held.push(body);
        const calls = JSON.parse(body) as { id: unknown } | { id: unknown }[];
        const taken = ({ id }: { id: unknown }) => ({ jsonrpc: '2.0', id, result: `0x${'11'.repeat(32)}` });
        response.end(JSON.stringify(Array.isArray(calls) ? calls.map(taken) : taken(calls)));
        return;
      }
      for (const { method } of [JSON.parse(body) as RpcCall | RpcCall[]].flat())
        node.methods.set(method, (node.methods.get(method) ?? 0) + 1);
      const ask = async (body: string) =>
        (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).text();
      if (node.lacks === undefined || !body.includes(node.lacks)) {
        response.end(await ask(body));
        return;
      }
      const calls = JSON.parse(body) as RpcCall[];
      const missing = calls.filter(({ method }) => method === node.lacks);
      const had = calls.filter((call) => !missing.includes(call));
      const answers = had.length === 0 ? [] : (JSON.parse(await ask(JSON.stringify(had))) as unknown[]);
      response.end(
        JSON.stringify([
          ...answers,
          ...missing.map(({ id }) => ({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })),
        ]),
      );
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const node: CountingNode = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
    asked: 0,
    held: undefined,
    lacks: undefined,
    methods: new Map(),
  };
  return node;
}
