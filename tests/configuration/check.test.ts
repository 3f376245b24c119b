/** `npm run check`: each wrong setting is an error with its place, and so is what is wrong around them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, describe, it } from 'node:test';

import { check, type Finding, type Report } from '../../scripts/check/index.mjs';
import { root } from '../../scripts/steps.mjs';
import { HEAD, openFolder, settingsOf, TABLE, tomlOf, type Value, type Vars } from './table.ts';

const folder = openFolder();
after(() => folder.remove());

/** The text of the file from where a finding points to. */
function at(text: string, { line, column }: Finding): string {
  return text.split('\n')[line - 1]?.slice(column - 1) ?? '';
}

async function checked(
  text: string,
  secrets: Vars = {},
  options: { env?: string; secrets?: boolean; known?: string[] } = {},
): Promise<Report> {
  folder.write(text, secrets);
  return check({ file: folder.file, offline: true, ...options });
}

const GOOD = settingsOf({});
const RIGHT = { ok: true, errors: [], warnings: [], notes: [], probes: [] };

describe('wrong settings', () => {
  for (const one of TABLE.cases) {
    it(`${one.name}: ${one.variable} is named with its place`, async () => {
      const { vars, secrets } = settingsOf(one);
      const text = tomlOf(vars);
      const report = await checked(text, secrets, { secrets: true });
      assert.equal(report.ok, false);
      assert.deepEqual(report.warnings, []);
      assert.equal(report.errors.length, 1, JSON.stringify(report.errors));
      const [error] = report.errors as [Finding];
      assert.equal(error.variable, one.variable);
      assert.ok(error.remedy.includes(one.says), error.remedy);
      assert.equal(error.file, folder.file);
      assert.ok(at(text, error).startsWith(beginning(one.variable, vars)), `${error.line}:${error.column} is ${at(text, error)}`);
      if (error.variable.startsWith('ROUTES[1]')) assert.match(text.split('\n')[error.line - 2] ?? '', /^ {2}\{/);
    });
  }
});

/** What stands at the place of a variable: the field if the route has it, the route, the variable, or the table. */
function beginning(variable: string, vars: Vars): string {
  const [, name = '', index, ...fields] = /^(\w+)(?:\[(\d+)\])?(?:\.([\w-]+))?(?:\.([\w-]+))?$/.exec(variable) ?? [];
  if (!(name in vars)) return '[vars]';
  let value = index === undefined ? (vars[name] as Vars) : ((vars[name] as readonly Vars[])[Number(index)] ?? {});
  let begins = index === undefined ? `${name} =` : typeof value === 'object' ? '{' : JSON.stringify(value);
  for (const field of fields) {
    if (field === undefined || !(field in value)) break;
    begins = `"${field}" =`;
    value = value[field] as Vars;
  }
  return begins;
}

describe('around the settings', () => {
  const text = tomlOf(GOOD.vars);
  const without = (part: string): string => {
    assert.ok(text.includes(part), part);
    return text.replace(part, '');
  };
  const ledger = '\n[[durable_objects.bindings]]\nname = "LEDGER"\nclass_name = "Ledger"\n';
  const errors: readonly (readonly [what: string, text: string, variable: string, says: string, at: string])[] = [
    ['no LEDGER', without(ledger), 'LEDGER', 'is missing', 'name ='],
    ['a LEDGER under another name', text.replace('"LEDGER"', '"LEDGERS"'), 'LEDGER', 'LEDGERS is not read', '[[durable'],
    ['a LEDGER of another class', text.replace('class_name = "Ledger"', 'class_name = "Object"'), 'LEDGER', 'Object', '[[durable'],
    ['no migration', without('new_sqlite_classes = ["Ledger"]\n'), 'migrations', 'new_sqlite_classes', '[[migrations'],
    ['a migration without SQLite', text.replace('new_sqlite_classes', 'new_classes'), 'migrations', 'SQLite', '[[migrations'],
    [
      'channels without a migration',
      `${text}\n[[durable_objects.bindings]]\nname = "CHANNEL"\nclass_name = "Channel"\n`,
      'migrations',
      'new_sqlite_classes = ["Channel"]',
      '[[migrations',
    ],
    [
      'channels under another name',
      `${text}\n[[durable_objects.bindings]]\nname = "CHANNELS"\nclass_name = "Channel"\n`,
      'CHANNEL',
      'is missing',
      '[[durable',
    ],
    ['an older date', text.replace('2026-04-01', '2026-03-31'), 'compatibility_date', '2026-04-01', 'compatibility_date'],
    ['no date', without('compatibility_date = "2026-04-01"\n'), 'compatibility_date', '2026-04-01', 'name ='],
    ['no origin and no route', tomlOf(settingsOf({ set: { ORIGIN_URL: null } }).vars), 'ORIGIN_URL', 'is missing', '[vars]'],
    ['two origins', `${text}\n[[services]]\nbinding = "ORIGIN"\nservice = "site"\n`, 'ORIGIN_URL', 'ORIGIN', 'ORIGIN_URL ='],
    [
      'a variable above all tables',
      `PAY_TO = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"\n${text.replace(/^PAY_TO.*\n/m, '')}`,
      'PAY_TO',
      'write the line [vars] above it',
      'PAY_TO =',
    ],
    [
      'routes as tables of their own above [vars]',
      tomlOf(settingsOf({ set: { ROUTES: null } }).vars).replace('[vars]', '[[ROUTES]]\npath = "/report"\nprice = "$1"\n\n[vars]'),
      'ROUTES',
      'write [[vars.ROUTES]] for [[ROUTES]]',
      '[[ROUTES]]',
    ],
    [
      'an origin that is the gate',
      tomlOf({ ...GOOD.vars, ORIGIN_URL: 'https://api.shop.net' }).replace(
        'workers_dev = true',
        'workers_dev = false\nroutes = [{ pattern = "api.shop.net/*", zone_name = "shop.net" }]',
      ),
      'ORIGIN_URL',
      'requests would come back',
      'ORIGIN_URL =',
    ],
    [
      'a placeholder on a main network',
      tomlOf({ ...GOOD.vars, NETWORK: 'base', ORIGIN_URL: 'https://example.com' }),
      'ORIGIN_URL',
      'placeholder',
      'ORIGIN_URL =',
    ],
    [
      'a facilitator that wants a key',
      tomlOf({ ...GOOD.vars, FACILITATOR_URL: 'https://api.cdp.coinbase.com/platform/v2/x402' }),
      'FACILITATOR_URL',
      'auth = "cdp"',
      'FACILITATOR_URL =',
    ],
    [
      'JSON text with a comma too many',
      tomlOf({ ...GOOD.vars, ROUTES: '[{"path":"/a","price":"$1"},]' }),
      'ROUTES',
      'the comma before ] is one too many, at line 1, column 28',
      'ROUTES =',
    ],
    [
      'a main network with the public test facilitator',
      tomlOf({ ...GOOD.vars, NETWORK: 'base', FACILITATOR_URL: 'https://www.x402.org/facilitator' }),
      'FACILITATOR_URL',
      'test networks',
      'FACILITATOR_URL =',
    ],
  ];
  for (const [what, wrong, variable, says, begins] of errors) {
    it(`${what} is an error`, async () => {
      const report = await checked(wrong, GOOD.secrets);
      assert.deepEqual(
        report.errors.map((error) => error.variable),
        [variable],
        JSON.stringify(report.errors),
      );
      const [error] = report.errors as [Finding];
      assert.ok(error.remedy.includes(says), error.remedy);
      assert.ok(at(wrong, error).startsWith(begins), at(wrong, error));
    });
  }

  const routed = text.replace('workers_dev = true', 'route = "gate.example/*"');
  const cdp = { ...GOOD.vars, NETWORK: 'base', FACILITATOR_URL: [{ url: 'https://api.cdp.coinbase.com/platform/v2/x402', auth: 'cdp' }] };
  const cheap = tomlOf({
    ...cdp,
    ROUTES: [
      { path: '/a', price: '$1' },
      { path: '/b', price: '$0.0009' },
      { path: '/c', price: { amount: '999', asset: 'USDC' } },
      { path: '/d', price: '$0.001' },
    ],
  });
  const beside = (unlisted: string | null, routes: Value) => tomlOf(settingsOf({ set: { DEFAULT: unlisted, ROUTES: routes } }).vars);
  const warnings: readonly (readonly [what: string, text: string, variables: readonly string[], says: string])[] = [
    ['a slip in the name of a variable', `${text}ORIGIN_URI = "x"\nSOME_OTHER = "x"\n`, ['ORIGIN_URI'], 'ORIGIN_URL'],
    ['a slip in letter case', `${text}pay_to = "x"\n`, ['pay_to'], 'PAY_TO'],
    ['a secret in the file', `${text}OPERATOR_TOKEN = "x"\n`, ['OPERATOR_TOKEN'], 'secret put'],
    ['a payee that nobody holds', tomlOf({ ...GOOD.vars, PAY_TO: `0x${'0'.repeat(36)}dEaD` }), ['PAY_TO'], 'lost'],
    [
      'a price that has lost its point',
      tomlOf({
        ...GOOD.vars,
        ROUTES: [
          { path: '/one', price: '$10000' },
          { path: '/two', price: '$99.99' },
        ],
      }),
      ['ROUTES[0].price'],
      'asks $10000 for one request of /one; is that right?',
    ],
    ['a placeholder on a test network', tomlOf({ ...GOOD.vars, ORIGIN_URL: 'https://api.example.com' }), ['ORIGIN_URL'], 'placeholder'],
    ['no cron', without('triggers = { crons = ["*/15 * * * *"] }\n'), ['triggers'], 'crons'],
    ['a cache in front of the gate', `${text}[cache]\nenabled = true\n`, ['cache.enabled'], 'before the gate'],
    [
      'routes beside workers.dev',
      text.replace('workers_dev = true', 'workers_dev = true\nroute = "gate.example/*"'),
      ['workers_dev'],
      'workers_dev = false',
    ],
    ['routes without a word on workers.dev', routed, ['workers_dev'], 'workers_dev = false'],
    [
      'open previews beside routes',
      text.replace('workers_dev = true', 'workers_dev = false\npreview_urls = true\nroute = "gate.example/*"'),
      ['preview_urls'],
      'preview_urls = false',
    ],
    [
      'files in front of the gate',
      `${text}[assets]\ndirectory = "${join(root, 'tests/vectors')}"\nbinding = "PAGES"\n`,
      ['assets'],
      'in front of the gate, without a payment',
    ],
    ...[
      ['a list that leaves some files', '["/*", "!/files/*"]'],
      ['a list that names some files', '["/files/*", "!/_farebox/pay/*"]'],
    ].map(
      ([what, first]) =>
        [
          `files in front of the gate, by ${what}`,
          `${text}[assets]\ndirectory = "${join(root, 'tests/vectors')}"\nbinding = "PAGES"\nrun_worker_first = ${first}\n`,
          ['assets'],
          'in front of the gate, without a payment',
        ] as const,
    ),
    ['a namespace with a slip in its name', `${text}[[kv_namespaces]]\nbinding = "CONFIGS"\nid = "0"\n`, ['CONFIGS'], 'CONFIG'],
    ['a service with a slip in its name', `${text}[[services]]\nbinding = "ORGIN"\nservice = "site"\n`, ['ORGIN'], 'ORIGIN'],
    [
      'a free sibling of a priced path',
      beside('free', [{ path: '/report', price: '$1' }]),
      ['ROUTES[0].path'],
      'serve the same at /report/index.html, /report.json, /report.html, which are free; set DEFAULT = "deny"',
    ],
    [
      'a free sibling where nothing is said of free paths',
      beside(null, [{ path: '/u/[id]', price: '$1' }]),
      ['ROUTES[0].path'],
      '/u/any/index.html',
    ],
    [
      'one that is left free beside others that are not, by a route for all',
      beside('free', [
        { path: '/*', price: 'free' },
        { path: '/report', price: '$1' },
        { path: '/report/*', price: '$1' },
        { path: '/report.html', price: 'free' },
      ]),
      ['ROUTES[1].path'],
      'serve the same at /report.json, which is free (as with /report/*); set DEFAULT',
    ],
    ['prices below the fee of the facilitator', cheap, ['ROUTES[1].price', 'ROUTES[2].price'], '$0.001'],
  ];
  for (const [what, odd, variables, says] of warnings) {
    it(`${what} is a warning`, async () => {
      const report = await checked(odd, GOOD.secrets);
      assert.deepEqual(report.errors, []);
      assert.equal(report.ok, true);
      assert.deepEqual(
        report.warnings.map((warning) => warning.variable),
        variables,
      );
      for (const { remedy } of report.warnings) assert.ok(remedy.includes(says), remedy);
    });
  }

  it('files for which the gate is asked first are no warning, and neither are its own pages beside them', async () => {
    for (const first of ['true', '["/*", "!/_farebox/pay/*", "!/_farebox/desk/*", "!/_farebox/style.css"]']) {
      const assets = `[assets]\ndirectory = "${join(root, 'tests/vectors')}"\nbinding = "PAGES"\nrun_worker_first = ${first}\n`;
      assert.deepEqual({ ...(await checked(`${text}${assets}`, GOOD.secrets)), notes: [] }, RIGHT);
    }
  });

  it('a till whose facilitator is believed is a warning, and one that the chain confirms or that settles after the work is none', async () => {
    const till = {
      path: '/till/[quote]',
      methods: ['POST'],
      price: { from: 'MARKET', max: '$100.00' },
      settle: 'before',
      idempotent: true,
    };
    const service = '\n[[services]]\nbinding = "MARKET"\nservice = "farebox-market"\n';
    const told = async (more: Vars): Promise<Report> => {
      const { vars } = settingsOf({
        set: {
          DEFAULT: 'deny',
          RPC_URL: 'https://node.example.com',
          ROUTES: [
            { path: '/report', price: '$1' },
            { ...till, ...more },
          ],
        },
      });
      const report = await checked(tomlOf(vars) + service, GOOD.secrets);
      assert.deepEqual(report.errors, []);
      return report;
    };
    const { warnings } = await told({});
    assert.deepEqual(
      warnings.map(({ variable }) => variable),
      ['ROUTES[1].path'],
    );
    assert.match(warnings[0]?.remedy ?? '', /^\/till\/\[quote\] .* set confirm = "chain"$/);
    assert.deepEqual((await told({ confirm: 'chain' })).warnings, []);
    assert.deepEqual((await told({ settle: 'after' })).warnings, []);
  });

  it('free siblings of many routes are one warning, which an operator can say that they know', async () => {
    const many = beside(
      'free',
      ['/a', '/b', '/c', '/d', '/e', '/f'].map((path) => ({ path, price: '$1' })),
    );
    const { warnings } = await checked(many, GOOD.secrets);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]?.remedy ?? '', /which are free \(as with \/b, \/c, \/d and 2 more\); .* `--known siblings`/);
    assert.deepEqual((await checked(many, GOOD.secrets, { known: ['siblings'] })).warnings, []);
  });

  it('a priced path without free siblings causes no warning', async () => {
    const closed = [
      beside('deny', [{ path: '/report', price: '$1' }]),
      beside('free', [{ path: '/*', price: '$1' }]),
      beside('free', [
        { path: '/report', price: '$1' },
        { path: '/report/*', price: '$1' },
        { path: '/report.json', price: '$1' },
        { path: '/report.html', price: 'free' },
      ]),
    ];
    for (const good of closed) assert.deepEqual((await checked(good, GOOD.secrets)).warnings, [], good);
  });

  it('a good file has nothing, nor has one whose routes close workers.dev', async () => {
    for (const good of [text, text.replace('workers_dev = true', 'workers_dev = false\nroute = "gate.example/*"')]) {
      const report = await checked(good, GOOD.secrets);
      assert.deepEqual({ ...report, notes: [] }, RIGHT);
    }
  });

  it('a bound Worker or a route of a zone stands for ORIGIN_URL, and a KV namespace for ROUTES', async () => {
    const { vars } = settingsOf({ set: { ORIGIN_URL: null } });
    const bound = `${tomlOf(vars)}\n[[services]]\nbinding = "ORIGIN"\nservice = "site"\n`;
    const zone = tomlOf(vars).replace('workers_dev = true', 'workers_dev = false\nroute = "gate.example/*"');
    const stored = `${tomlOf(settingsOf({ set: { ROUTES: null } }).vars)}\n[[kv_namespaces]]\nbinding = "CONFIG"\nid = "0"\n`;
    for (const good of [bound, zone]) assert.deepEqual({ ...(await checked(good, GOOD.secrets)), notes: [] }, RIGHT);
    const { ok, errors, notes } = await checked(stored, GOOD.secrets);
    assert.deepEqual([ok, errors, notes.map(({ variable }) => variable)], [true, [], ['ROUTES', 'GATE_SECRET', 'LEDGER_SALT']]);
  });

  it('an entrypoint of the gate that is bound by a slip of its name is a warning at its place', async () => {
    const { vars } = settingsOf({ set: { ORIGIN_URL: null } });
    const bound = (service: string) => `${tomlOf(vars)}\n[[services]]\nbinding = "ORIGIN"\nservice = "${service}"\nentrypoint = "App"\n`;
    const name = /^name = "([^"]+)"/m.exec(bound(''))?.[1] ?? '';
    assert.deepEqual((await checked(bound(name), GOOD.secrets)).warnings, []);
    assert.deepEqual((await checked(bound('somebody-elses'), GOOD.secrets)).warnings, []);
    const slip = bound(`${name}s`);
    const [warning, ...more] = (await checked(slip, GOOD.secrets)).warnings;
    assert.deepEqual([warning?.remedy, more], [`binds ${name}s, and this Worker is ${name}; did you mean that?`, []]);
    assert.match(at(slip, warning as Finding), /^service = /);
  });

  it('a bound Worker that names prices is one only if it is bound', async () => {
    const asks = tomlOf({ ...GOOD.vars, ROUTES: [{ path: '/a', price: { from: 'PRICER', max: '$1' } }] });
    assert.deepEqual(
      (await checked(asks, GOOD.secrets)).errors.map(({ variable }) => variable),
      ['ROUTES[0].price'],
    );
    assert.deepEqual((await checked(`${asks}\n[[services]]\nbinding = "PRICER"\nservice = "prices"\n`, GOOD.secrets)).errors, []);
  });

  it('secrets that are not here are notes, and errors when they are asked for', async () => {
    const report = await checked(text);
    assert.deepEqual([report.ok, report.errors, report.notes.map(({ variable }) => variable)], [true, [], ['GATE_SECRET', 'LEDGER_SALT']]);
    const local = await checked(text, GOOD.secrets);
    assert.deepEqual(
      local.notes.map(({ variable, remedy }) => [variable, /^is in \.dev\.vars, which is not deployed; `wrangler secret put/.test(remedy)]),
      [
        ['GATE_SECRET', true],
        ['LEDGER_SALT', true],
      ],
    );
    const strict = await checked(text, {}, { secrets: true });
    assert.deepEqual([strict.ok, strict.errors.map(({ variable }) => variable), strict.notes], [false, ['GATE_SECRET', 'LEDGER_SALT'], []]);
  });
});

describe('places', () => {
  //
  it('two routes for the same paths are shown with their lines', async () => {
    const text = tomlOf({
      ...GOOD.vars,
      ROUTES: [
        { path: '/x', price: '$3' },
        { path: '/u/[id]', price: '$1' },
        { path: '/u/[name]', price: '$2' },
      ],
    });
    const [error] = (await checked(text, GOOD.secrets)).errors as [Finding];
    const line = (part: string): number => text.split('\n').findIndex((one) => one.includes(part)) + 1;
    assert.deepEqual([error.variable, error.line], ['ROUTES[2]', line('/u/[name]')]);
    assert.ok(error.remedy.includes(`ROUTES[1] (line ${line('/u/[id]')})`), error.remedy);
  });

  it('variables after another table than [vars] are said to stand there, once each', async () => {
    const text = tomlOf(GOOD.vars).replace('[vars]', '[observability]\nenabled = true');
    const { errors } = await checked(text, GOOD.secrets);
    assert.deepEqual(
      errors.map(({ variable }) => variable),
      Object.keys(GOOD.vars),
      JSON.stringify(errors),
    );
    for (const { remedy } of errors) assert.match(remedy, /^stands in \[observability\]/);
  });

  it('a wrangler.jsonc is read as wrangler reads it, with line and column', async () => {
    const own = openFolder();
    try {
      const file = own.file.replace(/toml$/, 'jsonc');
      const vars = JSON.stringify({ ...GOOD.vars, DEFAULT: 'allow' }, null, 2);
      const text = `// A gate.\n{\n  "name": "gate", "main": "index.js", "compatibility_date": "2026-04-01", "workers_dev": true,
  "triggers": { "crons": ["*/15 * * * *"] }, /* each quarter */
  "durable_objects": { "bindings": [{ "name": "LEDGER", "class_name": "Ledger" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Ledger"] }],
  "vars": ${vars},\n}\n`;
      writeFileSync(file, text);
      const { errors, warnings } = await check({ file, offline: true });
      assert.deepEqual([errors.map(({ variable }) => variable), warnings], [['DEFAULT'], []], JSON.stringify(errors));
      assert.ok(at(text, errors[0] as Finding).startsWith('"DEFAULT"'));
      writeFileSync(file, text.replace('"gate",', '"gate"'));
      await assert.rejects(check({ file, offline: true }), /wrangler\.jsonc:3:18 is not JSON: a comma or } is missing/);
    } finally {
      own.remove();
    }
  });

  it('what is not TOML is shown with what to do there', async () => {
    const comma = tomlOf(GOOD.vars).replace('"$1" }', '"$1", }');
    await assert.rejects(checked(comma), /wrangler\.toml:\d+:\d+ is not TOML: the comma before } is one too many; remove it/);
    const bare = tomlOf(GOOD.vars).replace('"$1" }', '$1 }');
    await assert.rejects(checked(bare), /a text needs double quotes/);
  });
});

describe('environments', () => {
  const binding = '\n[[env.live.durable_objects.bindings]]\nname = "LEDGER"\nclass_name = "Ledger"\n';
  it('neither variables nor bindings are inherited, dates, migrations and triggers are', async () => {
    const text = `${tomlOf(GOOD.vars)}\n[env.live]\nname = "live"\n`;
    const report = await checked(text, GOOD.secrets, { env: 'live' });
    const missing = ['NETWORK', 'PAY_TO', 'ORIGIN_URL', 'FACILITATOR_URL', 'ROUTES', 'LEDGER'];
    assert.deepEqual(report.errors.map(({ variable }) => variable).sort(), missing.sort());
    assert.deepEqual(report.warnings, []);
    for (const error of report.errors) assert.ok(at(text, error).startsWith('[env.live]'), at(text, error));
    assert.match(report.errors.find(({ variable }) => variable === 'LEDGER')?.remedy ?? '', /\[\[env\.live\.durable_objects\.bindings\]\]/);
  });

  it('an origin on this machine, or in a private network, is an error in production, and may be tried elsewhere', async () => {
    const places = [
      ...['localhost', 'api.localhost', '127.0.0.1', '[::1]'].map((host) => ({ host })),
      { host: 'app', ORIGIN_NETWORK: 'private' },
    ];
    for (const { host, ...more } of places) {
      const table = tomlOf({ ...GOOD.vars, ORIGIN_URL: `http://${host}:3000`, ...more });
      assert.deepEqual((await checked(table, GOOD.secrets)).errors, [], host);
      const vars = table
        .slice(table.indexOf('[vars]'))
        .replaceAll('[[durable_objects', '[[env.production.durable_objects')
        .replace('[vars]', '[env.production.vars]');
      const { errors } = await checked(`${table}\n${vars}`, GOOD.secrets, { env: 'production' });
      assert.ok(
        errors.some(({ variable, remedy }) => variable === 'ORIGIN_URL' && /cannot be reached by a deployed Worker/.test(remedy)),
        `${host}: ${JSON.stringify(errors)}`,
      );
    }
  });

  it('an error of an environment has its place there', async () => {
    const top = tomlOf(GOOD.vars);
    const text = tomlOf({ ...GOOD.vars, DEFAULT: 'allow' }, { head: top + binding, table: 'env.live.vars' });
    assert.deepEqual((await checked(text, GOOD.secrets)).errors, []);
    const { errors } = await checked(text, GOOD.secrets, { env: 'live' });
    assert.deepEqual(
      errors.map(({ variable }) => variable),
      ['DEFAULT'],
    );
    assert.equal(errors[0]?.line, text.split('\n').indexOf('DEFAULT = "allow"') + 1);
  });
});

describe('the command', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, ['scripts/check.mjs', '--offline', ...args], { encoding: 'utf8' });

  it('tells a person file, line and column of each error and counts them, and ends with 1', () => {
    const text = tomlOf({ ...GOOD.vars, DEFAULT: 'allow', ROUTES: [{ path: '/a', price: '$0' }] }) + 'ORIGIN_URI = "x"\n';
    folder.write(text);
    const { status, stdout } = run('--config', folder.file);
    const line = (part: string) => text.split('\n').findIndex((one) => one.includes(part)) + 1;
    assert.equal(status, 1, stdout);
    assert.deepEqual(stdout.trim().split('\n'), [
      `${folder.file}:${line('"/a"')}:20 ROUTES[0].price: price is zero; write "free" for a route that costs nothing; write a price such as "$0.01"`,
      `${folder.file}:${line('DEFAULT')}:1 DEFAULT: must be "free" or "deny"`,
      `${folder.file}:${line('ORIGIN_URI')}:1 warning: ORIGIN_URI: is not read; did you mean ORIGIN_URL?`,
      ...['GATE_SECRET', 'LEDGER_SALT'].map(
        (name) =>
          `note: ${name} is a secret; \`wrangler secret put ${name} --config ${relative('.', folder.file)}\` if it is not there yet`,
      ),
      `${folder.file}: 2 errors, 1 warning`,
    ]);
  });

  //
  it('shows characters that would move the cursor by their number, in JSON too', () => {
    folder.write(tomlOf({ ...GOOD.vars, ROUTES: [{ path: '/a', price: '$1', methods: ['G\u001b[2JT'] }] }), GOOD.secrets);
    for (const words of [[], ['--json']]) {
      const { stdout, stderr } = run('--config', folder.file, ...words);
      assert.ok(!`${stdout}${stderr}`.includes('\u001b'), JSON.stringify(stdout));
      assert.ok(stdout.includes(words.length === 0 ? 'G‹U+001B›[2JT' : 'G\\u001b[2JT'), stdout);
    }
  });

  it('prints one JSON document and ends with 0 when there are warnings alone', () => {
    folder.write(`${tomlOf(GOOD.vars)}ORIGIN_URI = "x"\n`, GOOD.secrets);
    const { status, stdout } = run('--config', folder.file, '--json');
    const [warning, ...others] = JSON.parse(stdout).warnings;
    assert.equal(status, 0);
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(warning), ['variable', 'remedy', 'file', 'line', 'column']);
    assert.deepEqual({ ...JSON.parse(stdout), warnings: [], notes: [] }, RIGHT);
  });

  it('says how it is used, and takes an empty name for the top level', () => {
    const help = run('--help');
    assert.deepEqual([help.status, help.stderr], [0, '']);
    for (const option of ['--env', '--config', '--json', '--offline', '--secrets']) assert.ok(help.stdout.includes(option), option);
    folder.write(tomlOf(GOOD.vars), GOOD.secrets);
    const { status, stdout } = run('--config', folder.file, '--env', '');
    assert.deepEqual([status, stdout.trim().split('\n').at(-1)], [0, `${folder.file}: 0 errors, 0 warnings`]);
  });

  it('says of ten broken settings what docs/deploy.md shows, each in the words of the table of wrong settings', () => {
    const [, vars = '', shown = ''] =
      /\n```toml\n(\[vars\]\n[^]*?)```\n\n```text\n([^]*?)```\n/.exec(readFileSync('docs/deploy.md', 'utf8')) ?? [];
    folder.write(`${HEAD}\n${vars}`);
    const { stdout } = run('--config', folder.file);
    const moved = HEAD.split('\n').length;
    const placed = stdout
      .replaceAll(`${folder.file}:`, 'wrangler.toml:')
      .replaceAll(` --config ${relative('.', folder.file)}`, '')
      .replace(/^(wrangler\.toml:)(\d+)/gm, (_, name: string, line: string) => `${name}${Number(line) - moved}`);
    assert.equal(placed, shown);
    const said = [...shown.matchAll(/^wrangler\.toml:\d+:\d+ (?:warning: )?([^:]+): (.*)$/gm)].map(([, variable = '', remedy = '']) => ({
      variable,
      remedy,
    }));
    assert.equal(said.length, 10);
    const bare = (variable: string) => variable.replace(/\[\d+\]/g, '[]').replace(/\.methode$/, '');
    const unknown = said.filter(
      ({ variable, remedy }) => !TABLE.cases.some((one) => bare(one.variable).startsWith(bare(variable)) && remedy.includes(one.says)),
    );
    // A variable that nothing reads is no error of the gate.
    assert.deepEqual(
      unknown.map(({ variable }) => variable),
      ['MAX_VALIDITY_SEC'],
    );
  });

  it('repeats nothing of a private key, and tells it to nobody', () => {
    const key = `0x${'5c'.repeat(32)}`;
    folder.write(tomlOf({ ...GOOD.vars, PAY_TO: key, RPC_URL: 'http://127.0.0.1:9' }), GOOD.secrets);
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/check.mjs', '--config', folder.file], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stdout, /PAY_TO: IS A PRIVATE KEY/);
    assert.ok(!(stdout + stderr).includes('5c5c5c'), stdout);
  });

  it('says of what may be an account of another chain that it may be a key, while the network is unreadable', () => {
    folder.write(tomlOf({ ...GOOD.vars, NETWORK: 'Sui', PAY_TO: `0x${'5c'.repeat(32)}` }), GOOD.secrets);
    const { status, stdout } = run('--config', folder.file);
    assert.equal(status, 1);
    assert.match(stdout, /NETWORK: must be a CAIP-2 id/);
    assert.match(stdout, /PAY_TO: looks like a PRIVATE KEY; if it is one,/);
  });

  it('ends with 2 when there is nothing to check', () => {
    folder.write(HEAD);
    const broken = openFolder();
    broken.write('vars = {');
    const wrong = [
      ['--config', 'no/such.toml'],
      ['--config', 'README.md'],
      ['--config', broken.file],
      ['--config', folder.file, '--env', 'live'],
      ['--strict'],
    ];
    const ends = wrong.map((args) => run(...args));
    broken.remove();
    assert.deepEqual(
      ends.map(({ status, stdout }) => [status, stdout]),
      wrong.map(() => [2, '']),
    );
    for (const { stderr } of ends) assert.doesNotMatch(stderr, /^\s+at /m, 'no stack');
  });
});
