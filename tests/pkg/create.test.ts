// The projects that `farebox init` writes: their values are those that were said, no file that was there is touched, and wrong words are
// told by the word. What they do once they are installed is in create-run.test.ts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { Ajv } from 'ajv';
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';

import { root } from '../../scripts/steps.mjs';
import { temporaryFolder } from './tarball.ts';

const PROGRAM = join(root, 'pkg/dist/cli/main.js');
const PAYEE = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const GATE = ['--pay-to', PAYEE, '--origin', 'https://api.mine.net', '--price', '/report=$0.01'];
/** The templates, and words that are enough for each. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  gate: GATE,
  'gate-worker': ['--pay-to', PAYEE],
  hono: ['--pay-to', PAYEE],
  static: ['--pay-to', PAYEE],
  treasury: ['--origin', 'https://api.mine.net'],
  market: ['--origin', 'https://skills.mine.net'],
};

const folder = temporaryFolder();
after(() => folder.remove());

type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

function init(name: string, ...words: readonly string[]): Ended {
  const cwd = join(folder.path, name);
  mkdirSync(cwd, { recursive: true });
  // Without a terminal nothing is asked for.
  return spawnSync(process.execPath, [PROGRAM, 'init', ...words], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const fileOf = (name: string, path: string): string => readFileSync(join(folder.path, name, path), 'utf8');
const tomlOf = (name: string, path = 'wrangler.toml'): any => getStaticTOMLValue(parseTOML(fileOf(name, path)));
const filesBelow = (name: string): string[] =>
  readdirSync(join(folder.path, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder.path, name).length + 1))
    .sort();

test('a gate has the values that were said, and each file of a project', () => {
  const more = ['--price', 'POST /ask/[id]=$0.05', '--network', 'base-sepolia', '--rpc', 'https://node.mine.net/v1', '--name', 'till'];
  const { status, stderr } = init('said', ...GATE, ...more);
  assert.equal(status, 0, stderr);
  assert.deepEqual(filesBelow('said'), [
    '.dev.vars',
    '.dev.vars.example',
    '.github/workflows/check.yml',
    '.gitignore',
    'README.md',
    'package.json',
    'worker.js',
    'wrangler.toml',
  ]);
  const { name, main, vars, migrations, durable_objects } = tomlOf('said');
  assert.deepEqual(
    [name, main, migrations, durable_objects.bindings.map((one: any) => `${one.name}=${one.class_name}`)],
    ['till', 'worker.js', [{ tag: 'v1', new_sqlite_classes: ['Ledger', 'Channel'] }], ['LEDGER=Ledger', 'CHANNEL=Channel']],
  );
  assert.deepEqual(vars, {
    NETWORK: 'base-sepolia',
    PAY_TO: PAYEE,
    FACILITATOR_URL: 'https://www.x402.org/facilitator',
    ORIGIN_URL: 'https://api.mine.net',
    RPC_URL: 'https://node.mine.net/v1',
    DEFAULT: 'deny',
    ROUTES: [
      { path: '/report', price: '$0.01' },
      { path: '/ask/[id]', price: '$0.05', methods: ['POST'] },
    ],
  });
  const manifest = JSON.parse(fileOf('said', 'package.json'));
  assert.deepEqual(manifest.scripts, { check: 'farebox check', dev: 'farebox dev', deploy: 'farebox deploy' });
  const own = JSON.parse(readFileSync('package.json', 'utf8')).devDependencies;
  assert.deepEqual([manifest.dependencies, manifest.devDependencies], [{}, { wrangler: `^${own.wrangler}` }]);
  assert.match(fileOf('said', '.github/workflows/check.yml'), /- run: npm ci\n {6}- run: npm run check\n$/);
});

test('secrets are random, long enough, read by their owner alone, and not in git', () => {
  for (const name of ['one', 'two']) assert.equal(init(name, ...GATE).status, 0);
  const [one, two] = ['one', 'two'].map((name) =>
    [...fileOf(name, '.dev.vars').matchAll(/^(\w+)=(.+)$/gm)].map(([, key, value]) => [key, value]),
  );
  assert.deepEqual(
    one!.map(([key]) => key),
    ['GATE_SECRET', 'LEDGER_SALT', 'OPERATOR_TOKEN'],
  );
  for (const [at, [key, value]] of one!.entries()) {
    assert.match(value ?? '', /^[0-9a-f]{32,64}$/, key);
    assert.notEqual(value, two![at]![1]);
  }
  assert.equal(statSync(join(folder.path, 'one', '.dev.vars')).mode & 0o777, 0o600);
  assert.ok(fileOf('one', '.gitignore').split('\n').includes('.dev.vars'));
  const committed = filesBelow('one').filter((path) => path !== '.dev.vars');
  for (const path of committed) for (const [, value] of one!) assert.ok(!fileOf('one', path).includes(value!), path);
  assert.equal(fileOf('one', '.dev.vars.example').match(/^\w+=$/gm)?.length, 3);
});

for (const [template, words] of Object.entries(TEMPLATES)) {
  test(`${template}: editors have nothing against its file, and name the schema that is in the package`, () => {
    const { status, stderr } = init(`template-${template}`, '--template', template, ...words);
    assert.equal(status, 0, stderr);
    const text = fileOf(`template-${template}`, 'wrangler.toml');
    const schema = /^#:schema \.\/node_modules\/(\S+)$/m.exec(text)?.[1] ?? '';
    const place = resolve(schema.startsWith('farebox-gate/') ? schema.replace('farebox-gate/', 'pkg/gate/') : `node_modules/${schema}`);
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
    const wrangler = JSON.parse(readFileSync('node_modules/wrangler/config-schema.json', 'utf8'));
    const known = JSON.parse(readFileSync(place, 'utf8'));
    const [above] = known.allOf ?? [];
    if (above !== undefined) {
      // Beside the package stands wrangler, in every project.
      assert.equal(
        resolve('project/node_modules/farebox-gate/schemas', above.$ref),
        resolve('project/node_modules/wrangler/config-schema.json'),
      );
      ajv.addSchema(wrangler, new URL(above.$ref, pathToFileURL(place)).href);
      const gates = 'pkg/gate/schemas/wrangler.schema.json';
      if (place !== resolve(gates)) ajv.addSchema(JSON.parse(readFileSync(gates, 'utf8')), pathToFileURL(resolve(gates)).href);
    }
    const validate = ajv.compile({ ...known, $id: pathToFileURL(place).href });
    assert.ok(validate(tomlOf(`template-${template}`)), JSON.stringify(validate.errors));
  });
}

test('the line that adds local money is among those to type, for each gate whose network can be that', () => {
  const money = /^ {2}npm install --save-dev viem @x402\/core @x402\/evm @foundry-rs\/anvil-\S+ {3}# local money, for dev$/m;
  for (const [template, words] of Object.entries(TEMPLATES)) {
    const isGate = template !== 'treasury' && template !== 'market';
    assert.equal(money.test(init(`money-${template}`, '--template', template, ...words).stderr), isGate, template);
  }
  const real = init('money-real', ...GATE, '--network', 'base', '--facilitator', 'https://facilitator.mine.net');
  assert.equal(real.status, 0, real.stderr);
  assert.doesNotMatch(real.stderr, /local money/);
});

test('what a bound Worker serves has no address of its own', () => {
  assert.equal(init('bound', '--template', 'gate-worker', '--pay-to', PAYEE, '--price', '/report=$0.01').status, 0);
  const app = tomlOf('bound', 'app/wrangler.toml');
  assert.deepEqual([app.name, app.workers_dev, app.preview_urls, app.route, app.routes], ['bound-app', false, false, undefined, undefined]);
  assert.deepEqual(tomlOf('bound').services, [{ binding: 'ORIGIN', service: 'bound-app' }]);
  assert.equal(init('yours', '--template', 'gate-worker', '--pay-to', PAYEE, '--price', '/a=$0.01', '--service', 'my-api').status, 0);
  assert.deepEqual(tomlOf('yours').services, [{ binding: 'ORIGIN', service: 'my-api' }]);
  assert.ok(!existsSync(join(folder.path, 'yours', 'app')));
});

test('static files are asked for at the gate, but for its own pages', () => {
  assert.equal(init('files', '--template', 'static', '--pay-to', PAYEE).status, 0);
  const { assets, build, vars } = tomlOf('files');
  assert.deepEqual([assets.directory, build.command], ['.site', 'node build.mjs']);
  assert.deepEqual(assets.run_worker_first, ['/*', '!/_farebox/pay/*', '!/_farebox/desk/*', '!/_farebox/style.css']);
  assert.deepEqual(
    vars.ROUTES.map(({ path, price }: any) => `${path} ${price}`),
    ['/report.json $0.01', '/ free', '/style.css free'],
  );
  // Its build puts them beside the pages, and keeps the headers of both.
  const here = join(folder.path, 'files');
  mkdirSync(join(here, 'node_modules'));
  symlinkSync(join(root, 'pkg/gate'), join(here, 'node_modules/farebox-gate'));
  writeFileSync(join(here, 'public/_headers'), '/report.json\n  X-Mine: yes\n');
  for (let turn = 0; turn < 2; turn += 1) assert.equal(spawnSync(process.execPath, ['build.mjs'], { cwd: here }).status, 0);
  assert.equal(fileOf('files', '.site/report.json'), fileOf('files', 'public/report.json'));
  assert.equal(fileOf('files', '.site/_headers'), `${readFileSync('pkg/gate/pages/_headers', 'utf8')}/report.json\n  X-Mine: yes\n`);
  assert.ok(existsSync(join(here, '.site/_farebox/desk/index.html')));
});

test('a network of real money needs a facilitator, which is written with the key that it needs', () => {
  const { status, stderr } = init('real', ...GATE, '--network', 'base');
  assert.deepEqual([status, stderr], [2, 'farebox: FACILITATOR_URL is not set: --facilitator URL, which settles on base\n']);
  assert.deepEqual(readdirSync(join(folder.path, 'real')), []);
  const url = 'https://api.cdp.coinbase.com/platform/v2/x402';
  assert.equal(init('real', ...GATE, '--network', 'base', '--facilitator', url).status, 0);
  assert.deepEqual(tomlOf('real').vars.FACILITATOR_URL, [{ url, auth: 'cdp' }]);
});

test('no file that is there is changed, whatever it is, and what it lacks is said', () => {
  const here = join(folder.path, 'there');
  mkdirSync(here, { recursive: true });
  const mine = {
    'package.json': '{"name":"mine"}',
    'worker.js': 'mine',
    '.gitignore': 'node_modules\n',
    '.dev.vars': 'GATE_SECRET=mine\n',
  };
  for (const [path, text] of Object.entries(mine)) writeFileSync(join(here, path), text);
  // A link to a file elsewhere is a file that is there.
  writeFileSync(join(folder.path, 'elsewhere'), 'mine');
  symlinkSync(join(folder.path, 'elsewhere'), join(here, 'README.md'));
  const { status, stderr } = init('there', ...GATE);
  assert.equal(status, 0, stderr);
  for (const [path, text] of Object.entries(mine)) assert.equal(fileOf('there', path), text);
  assert.equal(readFileSync(join(folder.path, 'elsewhere'), 'utf8'), 'mine');
  assert.match(stderr, /^kept \.dev\.vars, which was there$/m);
  assert.match(stderr, /^add \.dev\.vars to \.gitignore: it has secrets$/m);
  assert.match(stderr, /^ {2}npm install \/path\/to\/farebox-\d+\.\d+\.\d+\.tgz \/path\/to\/farebox-gate-\d+\.\d+\.\d+\.tgz$/m);
  assert.match(stderr, /^ {2}npm pkg set scripts\.check='farebox check' /m);
  const before = filesBelow('there').map((path) => fileOf('there', path));
  assert.match(init('there', ...GATE, '--name', 'other').stderr, /^kept wrangler\.toml/m);
  assert.deepEqual(
    filesBelow('there').map((path) => fileOf('there', path)),
    before,
  );
});

test('a folder that describes another Worker is left as it is', () => {
  const here = join(folder.path, 'other');
  mkdirSync(here);
  writeFileSync(join(here, 'wrangler.jsonc'), '{}');
  const { status, stderr } = init('other', ...GATE);
  assert.deepEqual([status, readdirSync(here)], [2, ['wrangler.jsonc']]);
  assert.match(stderr, /wrangler\.jsonc is there, and describes another Worker/);
  assert.equal(init('other', 'gate', ...GATE).status, 0);
  assert.equal(tomlOf('other', 'gate/wrangler.toml').name, 'gate');
});

test('a place that cannot be written is named, not taken for a lost answer', () => {
  mkdirSync(join(folder.path, 'blocked'));
  writeFileSync(join(folder.path, 'blocked', 'file'), 'mine');
  const { status, stderr } = init('blocked', 'file', ...GATE);
  assert.deepEqual([status, fileOf('blocked', 'file')], [2, 'mine']);
  assert.match(stderr, /^farebox: package\.json cannot be written there: E(?:EXIST|NOTDIR)$/m);
});

test('wrong words are told by the word, and nothing is written', () => {
  const without = (word: string): string[] => GATE.filter((_, index) => GATE[index] !== word && GATE[index - 1] !== word);
  const cases: [readonly string[], RegExp][] = [
    [without('--pay-to'), /^farebox: PAY_TO is not set: --pay-to 0x…/],
    [without('--origin'), /^farebox: ORIGIN_URL is not set: --origin /],
    [without('--price'), /^farebox: ROUTES is not set: --price /],
    [[...without('--pay-to'), '--pay-to', '0x12'], /^farebox: --pay-to: /],
    [[...without('--pay-to'), '--pay-to', `0x${'5c'.repeat(32)}`], /^farebox: --pay-to: IS A PRIVATE KEY/],
    [[...without('--origin'), '--origin', 'api.mine.net'], /^farebox: --origin: must be an absolute URL/],
    [[...without('--price'), '--price', 'report'], /^farebox: --price is not PATH=PRICE/],
    [[...without('--price'), '--price', '/report=$0.0000001'], /^farebox: --price: ROUTES\[0\]\.price /],
    [[...without('--price'), '--price', '/c/{id}=$1'], /^farebox: --price: ROUTES\[0\]\.path .*`\[id\]`/],
    [[...GATE, '--network', 'nowhere-net', '--facilitator', 'https://f.mine.net'], /^farebox: --network: /],
    [[...GATE, '--rpc', 'node.mine.net'], /^farebox: --rpc: must be an absolute URL/],
    [[...GATE, '--facilitator', 'http://f.mine.net'], /^farebox: --facilitator: must be https/],
    [[...GATE, '--template', 'shop'], /^farebox: --template is one of gate, gate-worker, hono, static, treasury, market/],
    [[...GATE, '--name', 'My Gate'], /^farebox: the name of a Worker has small letters/],
    [[...GATE, '--template', 'hono'], /^farebox: --origin is for gate, treasury and market/],
    [['--template', 'treasury', '--origin', 'https://api.mine.net/path'], /^farebox: --origin is an origin/],
    [[...GATE, 'a', 'b'], /^farebox: one folder is enough/],
    [[...GATE, '--prize', '1'], /--help says what there is/],
  ];
  for (const [words, says] of cases) {
    const { status, stderr } = init('wrong', ...words);
    assert.deepEqual([status, says.test(stderr)], [2, true], `${words.join(' ')}: ${stderr}`);
    assert.ok(!stderr.includes('5c5c5c'), 'a key is not repeated');
    assert.deepEqual(readdirSync(join(folder.path, 'wrong')), []);
  }
});

test('npm create farebox names its folder, and its help each word', () => {
  const main = join(root, 'create/main.js');
  // It finds the package as it does once both are installed.
  const place = join(folder.path, 'npx/node_modules/create-farebox');
  mkdirSync(dirname(place), { recursive: true });
  mkdirSync(place);
  symlinkSync(join(root, 'pkg/gate'), join(dirname(place), 'farebox-gate'));
  writeFileSync(join(place, 'package.json'), readFileSync('create/package.json'));
  writeFileSync(join(place, 'main.js'), readFileSync(main));
  const create = (...words: string[]): Ended =>
    spawnSync(process.execPath, [join(place, 'main.js'), ...words], {
      cwd: folder.path,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const { status, stderr } = create(...GATE);
  assert.deepEqual([status, stderr], [2, 'farebox: the first word is the folder\n']);
  assert.equal(create('made', ...GATE).status, 0);
  assert.equal(tomlOf('made').name, 'made');
  const help = create('--help');
  assert.equal(help.status, 0);
  for (const word of [
    '--template',
    '--pay-to',
    '--network',
    '--price',
    '--origin',
    '--service',
    '--facilitator',
    '--rpc',
    '--name',
    'npm create farebox',
  ])
    assert.ok(help.stdout.includes(word), word);
});

/** A person at a terminal, who answers each question as it comes, and closes it after the last answer. */
const PERSON = `
import json, os, pty, re, select, sys
answers, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen = b''
while select.select([terminal], [], [], 20)[0]:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    # The question is there once the cursor stands behind it.
    if re.search(rb': \\x1b\\[\\d+G$', seen):
        os.write(terminal, answers.pop(0).encode() + b'\\n' if answers else b'\\x04')
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

test('at a terminal only what is missing is asked for, and one that closes leaves nothing', () => {
  const cwd = join(folder.path, 'asked');
  mkdirSync(cwd);
  const person = (answers: readonly string[], ...words: readonly string[]): Ended =>
    spawnSync('python3', ['-c', PERSON, JSON.stringify(answers), process.execPath, PROGRAM, 'init', ...words], { cwd, encoding: 'utf8' });
  const asked = person(['', '', 'https://api.mine.net', "'POST /ask=$0.05'"], '--pay-to', PAYEE);
  assert.equal(asked.status, 0, asked.stdout);
  assert.doesNotMatch(asked.stdout, /The address that is paid|The facilitator/);
  assert.deepEqual(
    { ...tomlOf('asked').vars, DEFAULT: undefined },
    {
      NETWORK: 'base-sepolia',
      PAY_TO: PAYEE,
      FACILITATOR_URL: 'https://www.x402.org/facilitator',
      ORIGIN_URL: 'https://api.mine.net',
      DEFAULT: undefined,
      ROUTES: [{ path: '/ask', price: '$0.05', methods: ['POST'] }],
    },
  );
  const left = person([''], 'left');
  assert.equal(left.status, 2, left.stdout);
  assert.match(left.stdout, /not answered: nothing was written/);
  assert.ok(!existsSync(join(cwd, 'left')));
});

/** In the place of wrangler's program, which needs an account: it notes its words, and what Cloudflare would say of secrets. */
const WRANGLER = `import { appendFileSync } from 'node:fs';
const words = process.argv.slice(2);
appendFileSync(process.env.NOTED, JSON.stringify(words) + '\\n');
if (words[0] === 'secret') console.log(JSON.stringify([{ name: 'GATE_SECRET', type: 'secret_text' }]));
process.exitCode = words.includes(process.env.REFUSED) ? 1 : 0;
`;

test("deploy hands its words to the project's wrangler, the bound Worker first, and says which secrets are missing", () => {
  assert.equal(init('shipped', '--template', 'gate-worker', '--pay-to', PAYEE).status, 0);
  const here = join(folder.path, 'shipped');
  const files = {
    'package.json': JSON.stringify({ name: 'wrangler', type: 'module', exports: './main.js' }),
    'main.js': `export { unstable_readConfig } from ${JSON.stringify(pathToFileURL(createRequire(join(root, 'package.json')).resolve('wrangler')).href)};\n`,
    'bin/wrangler.js': WRANGLER,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(here, 'node_modules/wrangler', path)), { recursive: true });
    writeFileSync(join(here, 'node_modules/wrangler', path), text);
  }
  const noted = join(folder.path, 'noted');
  const deploy = (refused: string, ...words: readonly string[]): Ended & { readonly ran: unknown[] } => {
    writeFileSync(noted, '');
    const env = { ...process.env, NOTED: noted, REFUSED: refused };
    const ended = spawnSync(process.execPath, [PROGRAM, 'deploy', '--offline', ...words], { cwd: here, encoding: 'utf8', env });
    return {
      ...ended,
      ran: readFileSync(noted, 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    };
  };
  const app = ['--config', 'app/wrangler.toml', '--env', ''];
  const gate = ['--config', 'wrangler.toml', '--env', ''];
  const done = deploy('none');
  assert.deepEqual(
    [done.status, done.ran],
    [
      0,
      [
        ['deploy', ...app],
        ['deploy', ...gate],
        ['secret', 'list', '--format', 'json', ...gate],
      ],
    ],
  );
  assert.match(done.stdout, /^missing: LEDGER_SALT \(npx wrangler secret put NAME --config wrangler\.toml\)$/m);
  const refused = deploy('app/wrangler.toml');
  assert.deepEqual([refused.status, refused.ran], [1, [['deploy', ...app]]]);
  assert.match(refused.stderr, /^wrangler ended with 1: app\/wrangler\.toml was not deployed$/m);
  const dry = deploy('none', '--dry-run');
  assert.deepEqual(
    [dry.status, dry.ran],
    [
      0,
      [
        ['deploy', ...app, '--dry-run'],
        ['deploy', ...gate, '--dry-run'],
      ],
    ],
  );
  // Whoever could ask the Worker behind the gate directly would not pay.
  writeFileSync(join(here, 'app/wrangler.toml'), fileOf('shipped', 'app/wrangler.toml').replace('workers_dev = false\n', ''));
  assert.match(deploy('none', '--dry-run').stdout, /warning: ORIGIN: app\/wrangler\.toml lets everyone reach the Worker behind the gate/);
  writeFileSync(join(here, 'wrangler.toml'), fileOf('shipped', 'wrangler.toml').replace('DEFAULT = "deny"', 'DEFAULT = "allow"'));
  const wrong = deploy('none');
  assert.deepEqual([wrong.status, wrong.ran], [1, []]);
});

// I-26, A-279
test('the URL of a node with a key is in no file', () => {
  const nodes = [
    'https://node.example.net/v2/SECRETKEY12345678',
    'https://node.example.net/?key=SECRET',
    'https://SECRETKEY12345678.node.example.net',
    '{"eip155:84532":"https://node.example.net/v2/SECRETKEY12345678"}',
  ];
  for (const [at, rpc] of nodes.entries())
    for (const [template, words] of [['gate', GATE] as const, ['treasury', TEMPLATES['treasury']!] as const]) {
      const name = `node-${template}-${at}`;
      const { status, stderr } = init(name, '--template', template, ...words, '--rpc', rpc);
      assert.equal(status, 0, stderr);
      assert.match(stderr, /`npx wrangler secret put RPC_URL` sets it/);
      for (const path of filesBelow(name)) assert.doesNotMatch(fileOf(name, path), /SECRET(?:KEY|$)|me:SECRET|key=SECRET/i, path);
    }
});

test('the network of a treasury and of a market is judged too', () => {
  for (const template of ['treasury', 'market']) {
    const name = `network-${template}`;
    const { status, stderr } = init(name, '--template', template, ...TEMPLATES[template]!, '--network', 'base-seplia');
    assert.equal(status, 2, stderr);
    assert.match(stderr, /^farebox: --network: [^]*did you mean/);
    assert.deepEqual(readdirSync(join(folder.path, name)), []);
  }
});

test('a folder that is a link is not followed, and secrets that git would take are told', () => {
  const here = join(folder.path, 'links');
  mkdirSync(join(folder.path, 'workflows-elsewhere'), { recursive: true });
  mkdirSync(here, { recursive: true });
  symlinkSync(join(folder.path, 'workflows-elsewhere'), join(here, '.github'));
  const { status, stderr } = init('links', ...GATE);
  assert.deepEqual([status, readdirSync(join(folder.path, 'workflows-elsewhere'))], [2, []]);
  assert.match(stderr, /^farebox: \.github is a link/m);
  for (const [at, [ignored, isTold]] of (
    [
      ['.dev.vars*\n!.dev.vars\n', true],
      ['!.dev.vars\n.dev.vars*\n', false],
      ['.dev.vars\n!.dev.vars.example\n', false],
    ] as const
  ).entries()) {
    const name = `ignored-${at}`;
    mkdirSync(join(folder.path, name), { recursive: true });
    writeFileSync(join(folder.path, name, '.gitignore'), ignored);
    assert.equal(/^add \.dev\.vars to \.gitignore/m.test(init(name, ...GATE).stderr), isTold, ignored);
  }
  const dangling = join(folder.path, 'dangling');
  mkdirSync(dangling, { recursive: true });
  symlinkSync(join(folder.path, 'nowhere'), join(dangling, '.gitignore'));
  assert.match(init('dangling', ...GATE).stderr, /^add \.dev\.vars to \.gitignore/m);
});

test('two Workers of one name beside a gate are deployed by nobody', () => {
  const { status, stderr } = init('twins', '--template', 'gate-worker', ...TEMPLATES['gate-worker']!);
  assert.equal(status, 0, stderr);
  cpSync(join(folder.path, 'twins', 'app'), join(folder.path, 'twins', 'app-old'), { recursive: true });
  const {
    stdout,
    stderr: said,
    status: code,
  } = spawnSync(process.execPath, [PROGRAM, 'deploy', '--offline', '--dry-run'], { cwd: join(folder.path, 'twins'), encoding: 'utf8' });
  assert.notEqual(code, 0);
  assert.match(`${stdout}${said}`, /app\/wrangler\.toml and app-old\/wrangler\.toml are both twins-app/);
});
