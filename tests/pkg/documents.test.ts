// The documents that begin without Rust, as a reader plays them: each block of commands is run, or says who runs it.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { ANVIL } from '../../scripts/local/anvil.mjs';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { type Reader, reading } from './documents.ts';
import { NOBODY } from './examples.ts';
import { packPackages, started, temporaryFolder } from './tarball.ts';

/** An account of anvil's phrase, whose key everybody knows: that of NOBODY. */
const SELLER = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d';
const GATE = 'http://127.0.0.1:8402 asks for payment in front of http://localhost:3000, on eip155:84532';

const folder = temporaryFolder();
/** The file of each package, and how documents name it. */
const files: Record<string, string> = {};
const named: Record<string, string> = {};
before(async () => {
  for (const [name, { path }] of Object.entries(await packPackages(folder.path, ['gate', 'treasury', 'market']))) {
    files[name] = path;
    named[name] = `/path/to/${name}-0.1.0.tgz`;
  }
});
/** What a reader writes for these names. */
const placesOf = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [named[name]!, files[name]!]));
/** What who sells installs. */
const selling = (): string => `${files['farebox']} ${files['farebox-gate']}`;
after(() => folder.remove());

/** The reader's own server, where the document has one. */
async function serverOf(reader: Reader, at: string): Promise<{ stop(): void }> {
  const port = Number(await reader.own('3000', at));
  const server = createServer((request, response) => response.end(`the server has ${request.url}\n`));
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  return {
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The block of that language that has these words. */
function blockOf(reader: Reader, language: string, words: string): string {
  const found = [...reader.text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);
  return found.find((block) => block.includes(words)) ?? '';
}

/** The words of a line of the unit. */
const setting = (unit: string, name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

async function read(
  context: TestContext,
  document: string,
  names: Readonly<Record<string, string>>,
  play: (reader: Reader) => Promise<void>,
) {
  await reading(context, { document, names }, play);
}

/** How what serves is installed. */
const INSTALL = 'npm install /path/to/farebox-0.1.0.tgz /path/to/farebox-gate-0.1.0.tgz workerd';

test('docs/serve.md: a gate that is tried, served, looked at, checked, and run as a service and as an image', async (context) => {
  const sold = ['farebox', 'farebox-gate'] as const;
  const copied = Object.fromEntries(sold.map((name) => [`./${name}-0.1.0.tgz`, files[name]!]));
  const names = { '0xYourAddress': NOBODY, ...placesOf(...sold), ...copied };
  await read(context, 'docs/serve.md', names, async (reader) => {
    const local = reader.folder('local');
    const servers = [await serverOf(reader, local)];
    const tried = await reader.plays(`${INSTALL} viem`, local, { prints: `${GATE}\nnpx farebox pay …\n` });
    const [, key = ''] = /^ *(export FAREBOX_PRIVATE_KEY=0x[0-9a-f]{64})$/m.exec(tried.wrote) ?? [];
    const [, line = ''] = /^ *(npx farebox pay .*)$/m.exec(tried.wrote) ?? [];
    await reader.types(`${key}\n${line}`, local, `paid     0.01 USDC (10000) to ${NOBODY} on eip155:84532\nthe server has /report\n`);

    const real = reader.folder('real');
    await started('cp', ['-a', join(local, 'node_modules'), join(local, 'package.json'), real], folder.path);
    servers.push(await serverOf(reader, real));
    const serves = await reader.plays(`${INSTALL}\n`, real, { prints: GATE });
    const looked = await reader.plays('export FAREBOX_URL', real);
    assert.match(looked.wrote, /^CREATED +STATE +AMOUNT/m);
    await reader.stop(serves);

    // The file of `--config`, as a service and in an image.
    const file = await reader.own(blockOf(reader, 'json', '"DEFAULT": "deny"'), real);
    writeFileSync(join(real, 'gate.json'), file);
    await reader.types('npx farebox serve --config gate.json --check', real);
    const image = await imageOf(reader, real);
    await reader.stop(image);
    const service = await serviceOf(reader, real);
    await reader.stop(service);
    for (const server of servers) server.stop();
  });
});

/** Plays the Dockerfile without an image: its steps in a folder, and its command. */
async function imageOf(reader: Reader, real: string) {
  const lines = blockOf(reader, 'dockerfile', 'FROM ').trim().split('\n');
  const steps = lines.map((line) => line.split(/ (.*)/s).slice(0, 2) as [string, string]);
  assert.deepEqual(
    steps.map(([step]) => step),
    ['FROM', 'WORKDIR', 'COPY', 'RUN', 'VOLUME', 'EXPOSE', 'CMD'],
  );
  const said = Object.fromEntries(steps);
  const [, version] = /^node:(\d+)-slim$/.exec(said['FROM'] ?? '') ?? [];
  assert.ok(Number(version) >= 20);
  const at = reader.folder('image');
  await reader.types(await reader.own(said['RUN'] ?? '', at), at);
  assert.equal(said['COPY'], 'farebox-0.1.0.tgz farebox-gate-0.1.0.tgz gate.json ./');
  writeFileSync(join(at, 'gate.json'), readFileSync(join(real, 'gate.json')));
  const command = JSON.parse(said['CMD'] ?? '') as string[];
  assert.equal(command[command.indexOf('--state') + 1], said['VOLUME']);
  assert.equal(said['EXPOSE'], '8402');
  const words = command.map((word) => (word === said['VOLUME'] ? join(at, 'state') : word));
  const port = await reader.own('8402', at);
  return reader.types(`${words.join(' ')} --port ${port}`, at, `http://0.0.0.0:${port} asks for payment in front of http://127.0.0.1:…`);
}

/** Plays the unit without systemd: its command, in its folder. */
async function serviceOf(reader: Reader, real: string) {
  const unit = blockOf(reader, 'ini', '[Service]');
  const at = reader.folder('service');
  await started('cp', ['-a', join(real, 'node_modules'), join(real, 'package.json'), join(real, 'gate.json'), at], real);
  // The time that requests under way have, and a start that waits for what passes.
  assert.ok(Number(setting(unit, 'TimeoutStopSec')) > 62);
  assert.deepEqual([setting(unit, 'Restart'), setting(unit, 'RestartPreventExitStatus')], ['always', '2']);
  assert.equal(setting(unit, 'RequiresMountsFor'), `/var/lib/${setting(unit, 'StateDirectory')}`);
  const port = await reader.own('8402', at);
  const command = setting(unit, 'ExecStart').replace('/usr/bin/node', process.execPath).replace('/var/lib/farebox', join(at, 'state'));
  const running = await reader.types(
    `${command} --port ${port}`,
    at,
    `http://127.0.0.1:${port} asks for payment in front of http://127.0.0.1:…`,
  );
  const [, nightly = ''] = /^A copy each night: `sudo -u farebox (node .*?)`/m.exec(reader.text) ?? [];
  await reader.types(nightly.replace('TARGET', join(at, 'copy')).replace('/var/lib/farebox', join(at, 'state')), at);
  assert.ok(existsSync(join(at, 'copy', '.farebox-gate', 'secrets.json')));
  return running;
}

const ANALYZE = '/usr/bin/systemd-analyze';
test('docs/serve.md: systemd takes the units', { skip: existsSync(ANALYZE) ? false : 'systemd is not here' }, async () => {
  const units = [...readFileSync('docs/serve.md', 'utf8').matchAll(/^```ini\n(.*?)^```$/gms)].map(([, unit = '']) => unit);
  const names = ['farebox.service', 'farebox-backup.service', 'farebox-backup.timer'];
  assert.equal(units.length, names.length);
  const paths = names.map((name) => join(folder.path, name));
  for (const [at, path] of paths.entries()) writeFileSync(path, units[at]!.replace('/usr/bin/node', process.execPath));
  // Their other units are those of this machine; only what is said of these counts.
  const { stdout } = await started('sh', ['-c', `${ANALYZE} verify ${paths.join(' ')} 2>&1 || true`], folder.path);
  assert.deepEqual(
    stdout.split('\n').filter((line) => line.includes('farebox')),
    [],
  );
});

test('docs/create.md: from the packages to a gate on this machine, and to a project that sells', async (context) => {
  const names = {
    '0xYourAddress': NOBODY,
    ...placesOf('farebox', 'farebox-gate'),
    'npx --package /path/to/farebox-0.2.0.tgz --package /path/to/farebox-gate-0.2.0.tgz': `npx --yes --package ${selling().replace(' ', ' --package ')}`,
    '@foundry-rs/anvil-linux-amd64': ANVIL,
    '../my-gate': join(folder.path, 'my-gate'),
    'npx farebox check ': 'npx farebox check --offline ',
    'npx wrangler login\n': '',
    'npx farebox deploy  ': 'npx farebox deploy --offline --dry-run ',
  };
  await read(context, 'docs/create.md', names, async (reader) => {
    reader.leaves('npm run pack', 'the suite has built the packages, and `before` packs them');
    for (const [name, path] of Object.entries(files)) assert.equal(basename(path), basename(named[name]!));
    const machine = reader.folder('machine');
    const server = await serverOf(reader, machine);
    await reader.plays('npm install /path/to/', machine, { prints: GATE });
    server.stop();

    const project = join(folder.path, 'my-gate');
    const dev = await reader.plays('npm run farebox -- init', root, {
      prints: 'Your gate, as in wrangler.toml\n  gate         http://127.0.0.1:8787\n',
    });
    const [, key = ''] = /^ *(export FAREBOX_PRIVATE_KEY=0x[0-9a-f]{64})$/m.exec(dev.wrote) ?? [];
    const url = /^ *gate +(http:\S+)$/m.exec(dev.wrote)?.[1] ?? '';
    assert.equal((await fetch(`${url}/report`)).status, 402);
    await reader.plays('npx farebox pay', root, { first: `cd ${project}\n${key}\n` });
    await reader.stop(dev);
    await reader.plays('npx farebox check', project, { prints: 'wrangler.toml: 0 errors, 0 warnings\n--dry-run: exiting now.\n' });
    await reader.plays('npx --package', project, { prints: 'farebox …says of wrangler.toml:\nwrangler.toml: 0 errors, 0 warnings\n' });
  });
});

test('docs/treasury.md: a first try without Rust, from a gate with local money to an agent that buys by a treasury', async (context) => {
  const names = {
    ...placesOf('farebox', 'farebox-gate', 'farebox-treasury'),
    '../my-treasury': join(folder.path, 'my-treasury'),
    'https://treasury.example.com': 'http://127.0.0.1:8787',
  };
  await read(context, 'docs/treasury.md', names, async (reader) => {
    reader.leaves('npm run demo -- treasury', 'tests/treasury/demo.test.ts');
    reader.leaves(
      'npm run check -- --config src/treasury',
      'tests/configuration/deploy.test.ts checks that file, and `npm run check` is played there',
    );
    reader.leaves('npx wrangler secret put TREASURY_SECRET', 'it needs an account');
    for (const asks of [
      '/api/payouts -d \'{"organization": "acme"',
      '/api/v6/pay/a2a/payment/create',
      '/api/payouts -d \'{"organization": "exchange"',
    ])
      reader.leaves(
        `curl -X POST -H "Authorization: Bearer $OPERATOR_TOKEN" https://treasury.example.com${asks}`,
        'tests/treasury has a facilitator and contracts',
      );

    const local = reader.folder('gate');
    const server = await serverOf(reader, local);
    await reader.types(`npm install ${selling()} workerd viem @x402/core @x402/evm ${ANVIL}`, local);
    const gate = await reader.own("npx farebox serve --local --origin http://localhost:3000 --price '/report=$0.01'\n", local);
    const sells = await reader.types(gate, local, await reader.own(`${GATE}\nnpx farebox pay …\n`, local));
    const [, key = ''] = /^ *export FAREBOX_PRIVATE_KEY=(0x[0-9a-f]{64})$/m.exec(sells.wrote) ?? [];

    // Its merchant is the gate, wherever that listens.
    const treasury = join(folder.path, 'my-treasury');
    const merchant = await reader.own('http://127.0.0.1:8402', local);
    await reader.plays('npm run farebox -- init', root, { edits: { 'http://127.0.0.1:8402': merchant } });
    const secrets = join(treasury, '.dev.vars');
    const [, chain = ''] = /the chain is (http:\S+)/.exec(sells.wrote) ?? [];
    writeFileSync(secrets, `${readFileSync(secrets, 'utf8').replace(/^WALLET_KEY=.*$/m, `WALLET_KEY=${key}`)}RPC_URL=${chain}\n`);
    const [, token = ''] = /^OPERATOR_TOKEN=(.*)$/m.exec(readFileSync(secrets, 'utf8')) ?? [];
    const dev = await reader.types(await reader.own('npx farebox dev\n', treasury), treasury, 'curl -X POST -H …bootstrap-keys…');
    const url = await reader.own('http://127.0.0.1:8787', treasury);
    const made = await reader.plays(
      'curl -X POST -H "Authorization: Bearer $OPERATOR_TOKEN" https://treasury.example.com/api/organizations',
      treasury,
      { first: `OPERATOR_TOKEN=${token}\n` },
    );
    const [, bootstrapKey = ''] = /"bootstrapKey":"([^"]+)"/.exec(made.wrote) ?? [];
    const exchanged = await reader.plays('curl -X POST https://treasury.example.com/api/sdk/runtime-tokens', treasury, {
      first: `BOOTSTRAP_KEY=${bootstrapKey}\n`,
    });
    assert.match(exchanged.wrote, /"token":"[^"]+"/);

    const program =
      /^```js\n(import \{ AgentHarness, createAgentPayClient .*?)^```$/ms.exec(readFileSync('docs/agent.md', 'utf8'))?.[1] ?? '';
    const placed = program.replace('https://treasury.example.com', url).replace('https://api.example.com', merchant);
    assert.ok(placed.includes(url) && placed.includes(merchant));
    writeFileSync(join(treasury, 'agent.mjs'), placed);
    const bought = await reader.types(`export BOOTSTRAP_KEY=${bootstrapKey}\nnode agent.mjs`, treasury);
    assert.match(bought.wrote, /the server has \/report/);
    await reader.stop(dev);
    await reader.stop(sells);
    server.stop();
  });
});

test('README.md: a gate on any machine, and a project for Cloudflare', async (context) => {
  const names = {
    '0xYourAddress': NOBODY,
    ...placesOf('farebox', 'farebox-gate'),
    '../my-gate': join(folder.path, 'gate-of-readme'),
    // The command that goes on is played by docs/create.md.
    'npx farebox dev  ': 'npx farebox check --offline  ',
    'npx farebox deploy  ': 'npx farebox deploy --offline --dry-run  ',
  };
  await read(context, 'README.md', names, async (reader) => {
    reader.leaves('npm run pack', 'the suite has built the packages, and `before` packs them');
    await reader.plays('npm install /path/to/', reader.folder('machine'), { prints: GATE });
    await reader.plays('npm run farebox -- init', root, { prints: 'wrangler.toml: 0 errors, …\n--dry-run: exiting now.\n' });
  });
});

test('docs/skills.md: a first try without Rust, of a market behind a gate with a treasury, in three projects', async (context) => {
  const names = { 'https://skills.example.com': 'http://127.0.0.1:8787' };
  await read(context, 'docs/skills.md', names, async (reader) => {
    reader.leaves('npm run demo -- skills', 'tests/market/demo.test.ts');
    reader.leaves('npm run check -- --config src/market', 'tests/configuration/market.test.ts checks that file');
    for (const needs of ['npx wrangler deploy --env ""', 'npx wrangler secret put MARKET_SECRET'])
      reader.leaves(needs, 'it needs an account');
    reader.leaves('npx farebox skill publish', 'tests/market/publish.test.ts');

    const at = reader.folder('three');
    const [gate, market, treasury] = ['my-gate', 'my-market', 'my-treasury'].map((name) => join(at, name)) as [string, string, string];
    const url = await reader.own('http://127.0.0.1:8787', at);
    const init = (words: string) => reader.types(`npm run farebox -- init ${words}`, root);
    await init(`${gate} --template gate-worker --service my-market --pay-to ${NOBODY} --price '/api/marketplace/*=free'`);
    await init(`${market} --template market --origin ${url} --service my-gate`);
    await init(`${treasury} --template treasury --origin ${url}`);
    await reader.types(`npm install ${Object.values(files).join(' ')} && npm install --save-dev viem @x402/core @x402/evm ${ANVIL}`, gate);
    for (const other of [market, treasury]) symlinkSync(join(gate, 'node_modules'), join(other, 'node_modules'));

    // Bound as in steps 2 to 4.
    const edited = (project: string, file: string, edit: (text: string) => string): void => {
      const text = readFileSync(join(project, file), 'utf8');
      assert.notEqual(edit(text), text, file);
      writeFileSync(join(project, file), edit(text));
    };
    const [, config = ''] =
      /(\[\[kv_namespaces\]\]\nbinding = "CONFIG"\nid = .*\n)/.exec(readFileSync(join(market, 'wrangler.toml'), 'utf8')) ?? [];
    edited(gate, 'wrangler.toml', (text) => text.replace('DEFAULT = "deny"', 'DEFAULT = "free"').replace('[vars]', `${config}\n[vars]`));
    edited(market, 'wrangler.toml', (text) => text.replace(/^# (\[\[services\]\]|binding = "TREASURY"|service = "my-treasury")$/gm, '$1'));
    edited(treasury, 'wrangler.toml', (text) =>
      text.replace('[vars]', `[[services]]\nbinding = "GATE"\nservice = "my-gate"\n\n[vars]\nMERCHANT_BINDINGS = { "${url}" = "GATE" }`),
    );
    const secret = (name: string): string =>
      new RegExp(`^${name}=.*$`, 'm').exec(readFileSync(join(market, '.dev.vars'), 'utf8'))?.[0] ?? '';
    edited(gate, '.dev.vars', (text) => `${text}${secret('ORIGIN_SECRET')}\n`);
    edited(treasury, '.dev.vars', (text) => `${text}${secret('LOOKUP_TOKEN')}\n`);

    const [, dev = ''] = /`(npx farebox dev --port 8788 -- --persist-to\s\.\.\/state)`/.exec(reader.text) ?? [];
    const starts = async (project: string, port: string, prints: string) =>
      reader.types(dev.replace(/\s+/g, ' ').replace('--port 8788', `--port ${port}`), project, prints);
    await starts(market, await reader.own('8402', at), `my-market is at …; people and agents reach it through its gate, at ${url}`);
    const sells = await starts(gate, await reader.own('8787', at), `gate …${url}`);
    const [, key = ''] = /^ *export FAREBOX_PRIVATE_KEY=(0x[0-9a-f]{64})$/m.exec(sells.wrote) ?? [];
    edited(treasury, '.dev.vars', (text) => text.replace(/^WALLET_KEY=.*$/m, `WALLET_KEY=${key}`));
    await starts(treasury, await reader.own('8403', at), 'Make a key for the agent…');

    // A skill of a seller on this machine is published, and bought with a wallet.
    const seller = await serverOf(reader, at);
    const draft = { skillId: 'word-count', name: 'Counts words', description: 'Counts the words of a text', price: '$0.05' };
    writeFileSync(join(at, 'skill.json'), JSON.stringify({ ...draft, callUrl: await reader.own('http://localhost:3000/count', at) }));
    symlinkSync(join(gate, 'node_modules'), join(at, 'node_modules'));
    const published = await reader.types(`export FAREBOX_PRIVATE_KEY=${SELLER}\nnpx farebox skill publish skill.json --market ${url}`, at);
    assert.match(published.wrote, /"id": ?"word-count"/);
    await eventually(
      'the gate sells it',
      async () => (await fetch(`${url}/s/word-count`, { method: 'POST', body: '{}' })).status,
      (status) => status === 402,
      90,
    );
    const bought = await reader.plays('npx farebox pay https://skills.example.com/s/word-count', at, {
      first: `export FAREBOX_PRIVATE_KEY=${key}\n`,
      edits: { 'farebox pay': 'farebox pay --yes --store budget' },
    });
    assert.match(bought.wrote, /^paid {5}0\.05 USDC \(50000\) to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 /m);
    assert.match(bought.wrote, /the server has \/count/);
    seller.stop();
  });
});
