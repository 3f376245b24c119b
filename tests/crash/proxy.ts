// A reverse proxy that shows every message to the switchboard, whole, before it goes on.
//
// It keeps no connection to its client for longer than an exchange, and carries an exchange through to its end
// when the client has gone: a request that was stopped may still arrive at its target after the client's death.

import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';

import { serve } from '../../demo/server.mjs';
import type { MessageName, Switchboard } from './switchboard.ts';

/** The messages of one exchange; `end` where the head of the reply travels before the rest. */
export interface Exchange {
  readonly payment: string;
  readonly request: MessageName;
  readonly reply: MessageName;
  readonly end?: MessageName;
}

export interface ProxyOptions {
  readonly target: string;
  readonly switchboard: Switchboard;
  /** What a request is; nothing for one that no payment is named in. */
  readonly describe: (url: string, body: string) => Exchange | undefined;
  /** What is answered in place of a dropped message; otherwise the connection is cut. */
  readonly dropped?: (body: string) => string;
}

export interface TestProxy {
  readonly url: string;
  /** Resolves when no exchange is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const running = new Set<Promise<void>>();
  const agent = new Agent({ keepAlive: true });
  const { url, stop } = await serve((incoming: IncomingMessage, response: ServerResponse) => {
    const exchange = carry(options, agent, incoming, response).catch(() => {
      response.destroy();
    });
    running.add(exchange);
    void exchange.then(() => running.delete(exchange));
  });
  return {
    url,
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
    async stop() {
      agent.destroy();
      await stop();
    },
  };
}

async function carry(
  { target, switchboard, describe, dropped }: ProxyOptions,
  agent: Agent,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readAll(incoming);
  const text = body.toString('utf8');
  const exchange = describe(incoming.url ?? '/', text);
  const refuse = (): void => {
    if (dropped === undefined) response.destroy();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(dropped(text));
  };
  if (exchange === undefined) {
    const reply = await ask(target, agent, incoming, body, () => {});
    response.writeHead(reply.status, plain(reply.headers)).end(reply.body);
    return;
  }
  const { payment } = exchange;
  if (exchange.request === 'settle.request') {
    switchboard.settleBodies.set(payment, [...(switchboard.settleBodies.get(payment) ?? []), text]);
  }
  if ((await switchboard.before(exchange.request, payment)) === 'drop') return refuse();
  const reply = await ask(target, agent, incoming, body, () => switchboard.after(exchange.request, payment));
  if ((await switchboard.before(exchange.reply, payment)) === 'drop') return refuse();
  const headers = plain(reply.headers);
  if (exchange.end === undefined) {
    response.writeHead(reply.status, headers);
    response.end(reply.body, () => switchboard.after(exchange.reply, payment));
    return;
  }
  response.writeHead(reply.status, headers);
  response.write(reply.body.subarray(0, -1), () => switchboard.after(exchange.reply, payment));
  if ((await switchboard.before(exchange.end, payment)) === 'drop') {
    response.destroy();
    return;
  }
  const { end } = exchange;
  response.end(reply.body.subarray(-1), () => switchboard.after(end, payment));
}

/** `sent` is called when the last byte of the request has left. */
function ask(target: string, agent: Agent, incoming: IncomingMessage, body: Buffer, sent: () => void): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(new URL(incoming.url ?? '/', target), {
      agent,
      method: incoming.method ?? 'GET',
      headers: { ...plain(incoming.headers), host: new URL(target).host, 'content-length': body.length },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (reply) => {
      const { statusCode: status = 502, headers } = reply;
      readAll(reply).then((whole) => resolve({ status, headers, body: whole }), reject);
    });
    outgoing.on('finish', sent);
    outgoing.end(body);
  });
}

/** Headers without those that concern one connection alone. */
function plain(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _connection, 'keep-alive': _alive, 'transfer-encoding': _encoding, ...rest } = headers;
  return rest;
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
