/** What stands between a clone and a deployment: environments, examples, and the commands of the document. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';

import { unstable_readConfig } from 'wrangler';
import { check } from '../../scripts/check/index.mjs';
import { SECRETS, variables } from '../../scripts/check/names.mjs';
import { parseSecrets } from '../../scripts/check/worker.mjs';
import { sectionOf } from '../../scripts/schema.mjs';
import { openFolder, PLACEHOLDER } from './table.ts';

const COMMITTED = readFileSync('wrangler.toml', 'utf8');
const NOBODY = '0x000000000000000000000000000000000000dEaD';
const SOMEBODY = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const OFFLINE = { CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', npm_config_offline: 'true' };

async function named(text: string, env?: string): Promise<{ errors: string[]; warnings: string[]; notes: string[] }> {
  const folder = openFolder();
  try {
    folder.write(text);
    const report = await check({ file: folder.file, offline: true, ...(env === undefined ? {} : { env }) });
    const of = (list: readonly { variable: string }[]) => list.map(({ variable }) => variable);
    return { errors: of(report.errors), warnings: of(report.warnings), notes: of(report.notes) };
  } finally {
    folder.remove();
  }
}

describe('environments of the committed file', () => {
  const mine = COMMITTED.replaceAll(NOBODY, SOMEBODY).replaceAll('https://example.com', 'https://api.mine.net');

  it('production is an error until a payee and an origin are set, and then needs only its secrets', async () => {
    assert.deepEqual((await named(COMMITTED, 'production')).errors, ['PAY_TO', 'ORIGIN_URL']);
    const { errors, warnings, notes } = await named(mine, 'production');
    assert.deepEqual([errors, warnings], [[], []]);
    assert.deepEqual(notes.sort(), ['CDP_API_KEY_ID', 'CDP_API_KEY_SECRET', 'GATE_SECRET', 'LEDGER_SALT']);
  });

  it('the other environments have no errors, and warn about the placeholders', async () => {
    for (const env of [undefined, 'preview']) {
      assert.deepEqual(await named(COMMITTED, env), {
        errors: [],
        warnings: ['PAY_TO', 'ORIGIN_URL'],
        notes: ['GATE_SECRET', 'LEDGER_SALT'],
      });
      assert.deepEqual((await named(mine, env)).warnings, []);
    }
  });

  it('each limits the payments of one network', async () => {
    for (const env of [undefined, 'preview', 'production']) {
      const { ratelimits = [] } = unstable_readConfig({ config: 'wrangler.toml', ...(env === undefined ? {} : { env }) });
      assert.deepEqual(
        ratelimits.map(({ name, simple }: { name: string; simple: unknown }) => [name, simple]),
        [['RATE_LIMITER', { limit: 600, period: 60 }]],
        env,
      );
    }
  });

  it('preview takes no real money', async () => {
    const [top = '', rest = ''] = mine.split('[env.preview.vars]');
    const real = `${top}[env.preview.vars]${rest.replace('"eip155:84532"', '"eip155:8453"').replace('https://www.x402.org/', 'https://f.example/')}`;
    assert.notEqual(real, mine);
    assert.deepEqual((await named(real, 'preview')).errors, ['NETWORK']);
  });

  it('the file of the example without Rust is right too', async () => {
    const { errors, warnings } = await named(readFileSync('demo/js-gate/wrangler.toml', 'utf8'));
    assert.deepEqual([errors, warnings], [[], ['PAY_TO', 'ORIGIN_URL']]);
  });

  it('the route that is commented out is right when it is not', async () => {
    const routed = mine.replace(/^# (route = )/m, '$1');
    assert.notEqual(routed, mine);
    assert.deepEqual((await named(routed, 'production')).warnings, []);
  });
});

describe('examples', () => {
  const required = ['GATE_SECRET', 'LEDGER_SALT'];

  it('.dev.vars.example asks for what is required, and for nothing unknown', () => {
    const text = readFileSync('.dev.vars.example', 'utf8');
    assert.deepEqual(Object.keys(parseSecrets(text)).sort(), required);
    const all = Object.keys(parseSecrets(text.replace(/^# (?=[A-Z_]+=)/gm, '')));
    assert.ok(all.length > required.length);
    for (const name of all) assert.ok(SECRETS.includes(name), name);
  });

  it('the check knows the secrets that are described, and no other', () => {
    const rows = sectionOf(readFileSync('docs/configuration.md', 'utf8'), '## Secrets').match(/^\| `(\w+)`/gm) ?? [];
    assert.deepEqual(rows.map((row) => row.slice(3, -1)).sort(), [...SECRETS].sort());
  });

  it('package.json describes what the button asks for', () => {
    const { cloudflare } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      cloudflare: { bindings: Record<string, { description: string }>; publish: boolean; healthCheckPath: string };
    };
    assert.equal(cloudflare.healthCheckPath, '/_farebox/health');
    const names = Object.keys(cloudflare.bindings);
    for (const name of names) assert.ok([...required, ...variables(), 'LEDGER', 'CHANNEL'].includes(name), name);
    const [, vars = ''] = /\n\[vars\]\n([^]*?)\n# ----/.exec(COMMITTED) ?? [];
    const asked = [...vars.matchAll(/^([A-Z_]+) =/gm)].map(([, name]) => name ?? '');
    assert.deepEqual(names.sort(), [...required, ...asked, 'LEDGER', 'CHANNEL'].sort());
  });

  it('the button waits for the address of the repository', () => {
    const button = `https://deploy.workers.cloudflare.com/?url=${PLACEHOLDER}`;
    const guide = readFileSync('docs/deploy.md', 'utf8');
    assert.ok(guide.includes(button) && guide.includes(`in the place of \`${PLACEHOLDER}\``));
    // A reader would press it.
    for (const text of [readFileSync('README.md', 'utf8'), guide.replace(/```[^]*?```/g, '')]) assert.ok(!text.includes(button));
  });
});

type Step = { readonly commands: string; readonly fails: boolean; readonly prints: readonly string[] };

/** The blocks that are run, each with the lines that follow it. */
function steps(document: string): readonly Step[] {
  const blocks = [...document.matchAll(/^```(\S+)(.*)\n([^]*?)^```$/gm)];
  return blocks.flatMap(([, language, tags = '', commands = ''], index) => {
    if (language !== 'sh' || !tags.includes('run')) return [];
    const next = blocks[index + 1];
    const prints = next?.[1] === 'text' ? (next[3] ?? '').trimEnd().split('\n') : [];
    return [{ commands, fails: tags.includes('fails'), prints }];
  });
}

describe('docs/deploy.md', () => {
  it('does what it says, one command after the other, up to those that need an account', () => {
    const all = steps(readFileSync('docs/deploy.md', 'utf8'));
    assert.ok(all.length >= 5);
    const folder = mkdtempSync(join(tmpdir(), 'farebox-deploy-'));
    try {
      const own = ['.git', '.dev.vars', '.wrangler', 'wrangler.toml'];
      for (const name of readdirSync('.').filter((name) => !own.includes(name))) symlinkSync(resolve(name), join(folder, name));
      copyFileSync('wrangler.toml', join(folder, 'wrangler.toml'));
      for (const { commands, fails, prints } of all) {
        const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', commands], {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, ...OFFLINE },
        });
        const said = `${commands}\n${stdout}\n${stderr}`;
        assert.equal(status, fails ? 1 : 0, said);
        let rest = stdout;
        for (const line of prints) {
          const found = new RegExp(
            line
              .split('…')
              .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
              .join('.*'),
          ).exec(rest);
          assert.ok(found !== null, `${line} is not in\n${said}`);
          rest = rest.slice(found.index + found[0].length);
        }
      }
      assert.equal(readFileSync(join(folder, 'wrangler.toml'), 'utf8').includes(NOBODY), false);
      assert.equal(readFileSync('wrangler.toml', 'utf8'), COMMITTED);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
