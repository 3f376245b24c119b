// The applications of docs/origin.md, as they stand there, behind the gate: they serve what it sends, with what was
// paid, and refuse everyone else. Those whose programs are not installed are left out.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { freePort } from '../../demo/server.mjs';
import { findProgram } from '../../scripts/debian.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { type Child, startProcess } from '../../scripts/processes.mjs';
import { findPython } from '../../scripts/python.mjs';
import { root } from '../../scripts/steps.mjs';
import { sharedWorld } from '../support/suite.ts';
import { connect, next, refusal } from '../worker/support/sockets.ts';
import { payingFetch } from './clients.ts';
import { changesDuring, startWorld } from './world.ts';

const SECRET = 'origin-secret-of-the-samples-0123456789abcdef';
const API_KEY = 'key-of-a-partner-0123456789';
const LIMIT_MS = 120_000;
const POLL_MS = 50;

/** A block of the document below a heading of the third level. */
function sample(heading: string, language: string): string {
  const [, section = ''] = readFileSync(`${root}/docs/origin.md`, 'utf8').split(`\n### ${heading}\n`);
  const block = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(section.split(/\n##/)[0] ?? '')?.[1];
  assert.ok(block, `${heading} has a block in ${language}`);
  return block;
}

interface Sample {
  name: string;
  /** Why it is left out, if it is. */
  leftOut?: string;
  /** Whether it answers WebSockets at `/live`. */
  hasSocket?: boolean;
  /** Writes its files and starts it on this port. */
  start(folder: string, port: number): Promise<Child[]>;
}

const python = await findPython();
const [nginx, ruby] = [findProgram('nginx'), findProgram('ruby')];
const programs = join(root, 'tests/interop/node/node_modules');
const env = (port: number): NodeJS.ProcessEnv => ({ ...process.env, PORT: String(port), ORIGIN_SECRET: SECRET });

const EXPRESS: Sample = {
  name: 'Express',
  ...(existsSync(join(programs, 'express')) ? {} : { leftOut: '`npm run test:e2e` has not installed it' }),
  async start(folder, port) {
    writeFileSync(join(folder, 'from-gate.mjs'), sample('Node', 'js'));
    writeFileSync(join(folder, 'app.mjs'), sample('Express', 'mjs'));
    symlinkSync(programs, join(folder, 'node_modules'));
    return [startProcess(process.execPath, ['app.mjs'], { cwd: folder, env: env(port) })];
  },
};

const FASTAPI: Sample = {
  name: 'FastAPI',
  hasSocket: true,
  ...('leftOut' in python ? { leftOut: python.leftOut } : {}),
  async start(folder, port) {
    writeFileSync(join(folder, 'from_gate.py'), sample('Python', 'python'));
    writeFileSync(join(folder, 'app.py'), sample('FastAPI', 'py'));
    const command = 'python' in python ? python.python : '';
    return [
      startProcess(command, ['-B', '-m', 'uvicorn', 'app:app', '--port', String(port), '--log-level', 'warning'], {
        cwd: folder,
        env: env(port),
      }),
    ];
  },
};

const NGINX: Sample = {
  name: 'nginx',
  ...('leftOut' in nginx ? { leftOut: nginx.leftOut } : {}),
  async start(folder, port) {
    // Behind it, the application that knows nothing of the gate.
    const inner = await freePort();
    const app = `import { createServer } from 'node:http';
createServer(({ url, headers }, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ report: 'Rainfall, Tuesday', url,
  payer: headers['farebox-payer'], payment: headers['farebox-payment'], amount: headers['farebox-amount'] }))).listen(${inner}, '127.0.0.1');`;
    writeFileSync(join(folder, 'app.mjs'), app);
    writeFileSync(join(folder, 'gate.js'), sample('nginx', 'njs'));
    const placed = [
      ['/etc/nginx/gate.js', join(folder, 'gate.js')],
      ['listen 8080;', `listen 127.0.0.1:${port};`],
      ['http://127.0.0.1:3000', `http://127.0.0.1:${inner}`],
      [
        'http {',
        `daemon off; pid ${folder}/pid; error_log stderr;\nhttp {\naccess_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}`,
      ],
      ['modules/', 'folder' in nginx ? `${nginx.folder}/usr/lib/nginx/modules/` : ''],
    ] as const;
    const text = placed.reduce(
      (all, [from, to]) => {
        assert.ok(all.includes(from), from);
        return all.replace(from, to);
      },
      sample('nginx', 'nginx'),
    );
    writeFileSync(join(folder, 'nginx.conf'), text);
    const program = 'command' in nginx ? nginx : { command: '', env: {} };
    return [
      startProcess(process.execPath, ['app.mjs'], { cwd: folder }),
      startProcess(program.command, ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'], {
        cwd: folder,
        env: { ...env(port), ...program.env },
      }),
    ];
  },
};

/** A server that hands each request to Rack, as Puma does: the middleware, and behind it an application that knows nothing of it. */
const RACK = `require "socket"
require "json"
require_relative "from_gate"
app = FromGate.new(->(env) {
  told = %w[payer payment amount].to_h { |name| [name, env["HTTP_FAREBOX_#{name.upcase}"]] }
  [200, { "content-type" => "application/json" }, [JSON.generate({ "report" => "Rainfall, Tuesday" }.merge(told))]]
})
server = TCPServer.new("127.0.0.1", ENV.fetch("PORT").to_i)
loop do
  Thread.new(server.accept) do |socket|
    method, target = socket.gets("\\r\\n").split(" ")
    env = { "REQUEST_METHOD" => method, "REQUEST_URI" => target }
    while (line = socket.gets("\\r\\n").chomp("\\r\\n")) != ""
      name, value = line.split(": ", 2)
      env["HTTP_#{name.upcase.tr("-", "_")}"] = value
    end
    status, headers, body = app.call(env)
    text = body.join
    socket.write("HTTP/1.1 #{status} x\\r\\n#{headers.map { |pair| pair.join(": ") + "\\r\\n" }.join}content-length: #{text.bytesize}\\r\\nconnection: close\\r\\n\\r\\n#{text}")
    socket.close
  end
end
`;

const RAILS: Sample = {
  name: 'Rails',
  ...('leftOut' in ruby ? { leftOut: ruby.leftOut } : {}),
  async start(folder, port) {
    writeFileSync(join(folder, 'from_gate.rb'), sample('Rails', 'ruby'));
    writeFileSync(join(folder, 'server.rb'), RACK);
    const program = 'command' in ruby ? ruby : { command: '', env: {} };
    return [startProcess(program.command, ['--disable-gems', 'server.rb'], { cwd: folder, env: { ...env(port), ...program.env } })];
  },
};

const world = sharedWorld(startWorld);

for (const { name, leftOut, hasSocket, start } of [EXPRESS, FASTAPI, RAILS, NGINX]) {
  describe(`the sample for ${name}`, { skip: leftOut === undefined ? false : `left out: ${leftOut}` }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'farebox-sample-'));
    let running: Child[] = [];
    let gate: Gate;
    let url: string;
    before(
      async () => {
        const port = await freePort();
        url = `http://127.0.0.1:${port}`;
        running = await start(folder, port);
        const ended = Promise.race(running.map(({ exited }) => exited)).then(() => {
          throw new Error(running.map(({ output }) => output()).join('\n'));
        });
        await Promise.race([ended, answering(url)]);
        const { chain, facilitator } = world;
        const vars = { NETWORK: 'eip155:84532', PAY_TO: chain.accounts.payee.address, FACILITATOR_URL: facilitator.url, ORIGIN_URL: url };
        const ROUTES = [
          { path: '/report', price: '$0.01', settle: 'before' },
          { path: '/reports/*', price: '$0.01' },
        ];
        gate = await startGate({
          build: process.env['FAREBOX_BUILD'] ?? 'build',
          vars: { ...vars, ROUTES, DEFAULT: 'free' },
          secrets: {
            ORIGIN_SECRET: SECRET,
            API_KEYS: JSON.stringify([{ name: 'partner', sha256: createHash('sha256').update(API_KEY).digest('hex') }]),
          },
        });
        ended.catch(() => {});
      },
      { timeout: LIMIT_MS },
    );
    after(async () => {
      await gate?.stop();
      await Promise.all(running.map((child) => child.stop()));
      rmSync(folder, { recursive: true, force: true });
    });

    test('serves what is paid, and sees payer, payment and amount under a signature that holds', { timeout: LIMIT_MS }, async () => {
      const { payer } = world.chain.accounts;
      const { result, change } = await changesDuring(world, payer.address, async () => {
        const response = await payingFetch(fetch, payer)(`${gate.url}/report?day=tue%20sday&b=%2F`);
        return { status: response.status, json: (await response.json()) as Record<string, unknown> };
      });
      assert.deepEqual([result.status, change.paid], [200, PRICE_ATOMIC], JSON.stringify(result.json));
      const { report, payer: told, payment, amount } = result.json;
      assert.deepEqual([report, told, amount], ['Rainfall, Tuesday', payer.address, String(PRICE_ATOMIC)]);
      assert.match(String(payment), /^rcpt_[a-z2-7]{26}$/);
    });

    // A-58
    test('refuses whoever goes around the gate, and lets its free requests in', { timeout: LIMIT_MS }, async () => {
      const direct = await fetch(`${url}/report`);
      assert.equal(direct.status, 403);
      const forged = await fetch(`${url}/report`, {
        headers: {
          'farebox-payer': world.chain.accounts.payer.address,
          'farebox-signature-v2': `t=${Math.floor(Date.now() / 1000)},v2=${'0'.repeat(64)}`,
        },
      });
      assert.equal(forged.status, 403);
      assert.notEqual((await fetch(`${gate.url}/free`)).status, 403);
    });

    test('serves the holder of an API key, who pays nothing', { timeout: LIMIT_MS }, async () => {
      const response = await fetch(`${gate.url}/report`, { headers: { 'x-api-key': API_KEY } });
      assert.deepEqual([response.status, ((await response.json()) as { report: string }).report], [200, 'Rainfall, Tuesday']);
    });

    if (hasSocket === true)
      test('a WebSocket on a free path is echoed, and is refused around the gate', { timeout: LIMIT_MS }, async () => {
        const headers = { 'farebox-payer': 'forged', 'x-forwarded-host': 'evil.example' };
        const socket = connect(gate.url, '/live?room=a%20b', { headers });
        const first = next<Buffer>(socket, 'message');
        await next(socket, 'open');
        assert.deepEqual(JSON.parse(String(await first)), { host: new URL(gate.url).host, payer: null });
        const echoed = next<Buffer>(socket, 'message');
        socket.send('hello');
        assert.equal(String(await echoed), 'hello');
        const end = next<number>(socket, 'close');
        socket.close(4001, 'done');
        assert.equal(await end, 4001);
        assert.equal(await refusal(connect(url, '/live?room=a%20b', { headers })), 403);
      });
  });
}

async function answering(url: string): Promise<void> {
  for (;;) {
    try {
      await fetch(url);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
