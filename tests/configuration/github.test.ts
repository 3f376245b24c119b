/** What GitHub reads: workflows, forms and owners name what exists, and may do no more than they need. */
import assert from 'node:assert/strict';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

// GitHub reads YAML, and Node has no parser of it.
import { parse } from 'yaml';
import { PLACEHOLDER } from './table.ts';

type Step = {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
};
type Job = {
  readonly needs?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
};
type Workflow = {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
};
type Field = {
  readonly type: string;
  readonly id?: string;
  readonly attributes: { readonly label?: string; readonly value?: string; readonly description?: string; readonly options?: unknown[] };
};

const WORKFLOWS = join('.github', 'workflows');
const FORMS = join('.github', 'ISSUE_TEMPLATE');
const { scripts, engines } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
  engines: { node: string };
};

const workflow = (name: string): Workflow => parse(readFileSync(join(WORKFLOWS, name), 'utf8'));
const all = readdirSync(WORKFLOWS).map((name): readonly [string, Workflow] => [name, workflow(name)]);
const jobs = all.flatMap(([name, { jobs }]) => Object.entries(jobs).map(([job, it]): readonly [string, Job] => [`${name}: ${job}`, it]));
const steps = jobs.flatMap(([place, { steps = [] }]) => steps.map((step): readonly [string, Step] => [place, step]));

/** The command of each kind that a step may run, and whether what it names is there. */
const COMMANDS: readonly (readonly [RegExp, (found: RegExpExecArray) => boolean])[] = [
  [/^npm run ([a-z:]+)( -- [^;&|]*)?$/, ([, name = '']) => scripts[name] !== undefined],
  [/^(\.ci\/run)$/, ([, file = '']) => accessSync(file, constants.X_OK) === undefined],
  // Without a word it reads rust-toolchain.toml, which is then the only place that names a version.
  [/^rustup toolchain install$/, () => existsSync('rust-toolchain.toml')],
  [/^git merge-base --is-ancestor "\$GITHUB_SHA" origin\/main$/, () => true],
  [
    /^sh -e build\/release\/(publish\.sh)$/,
    ([, file = '']) => readFileSync('scripts/release.mjs', 'utf8').includes(`join(OUT, '${file}')`),
  ],
];

describe('workflows', () => {
  it('are those for a change and for a release', () => {
    assert.deepEqual(all.map(([name]) => name).sort(), ['ci.yml', 'release.yml']);
    assert.deepEqual(Object.keys(workflow('ci.yml').on).sort(), ['pull_request', 'push', 'workflow_call']);
    assert.deepEqual(workflow('release.yml').on, { push: { tags: ['v*'] } });
  });

  it('run commands that exist, in which no text of others is put', () => {
    const runs = steps.flatMap(([place, { run }]) => (run === undefined ? [] : [[place, run] as const]));
    assert.ok(runs.length >= 5);
    for (const [place, run] of runs) {
      const known = COMMANDS.some(([pattern, exists]) => {
        const found = pattern.exec(run);
        return found !== null && exists(found);
      });
      assert.ok(known, `${place}: ${run}`);
      assert.ok(!run.includes('${{'), `${place}: ${run}`);
    }
    assert.ok(runs.some(([place, run]) => place === 'ci.yml: test' && run === '.ci/run'));
    assert.ok(
      runs.some(([place, run]) => place === 'release.yml: publish' && run === 'npm run release -- --dry-run --tag "$GITHUB_REF_NAME"'),
    );
  });

  it('take actions by commit, beside their version', () => {
    const texts = all.map(([name]) => readFileSync(join(WORKFLOWS, name), 'utf8'));
    const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.includes('uses:'));
    const local = lines.filter((line) => /uses: \.\//.test(line));
    assert.ok(lines.length - local.length >= 4);
    for (const line of lines.filter((line) => !local.includes(line))) {
      assert.match(line, /uses: (actions|rust-lang)\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
    for (const line of local) assert.ok(existsSync(line.split('uses: ./')[1] ?? ''), line);
    const versions = new Set(lines.map((line) => line.split('uses: ')[1]));
    const actions = new Set(lines.map((line) => line.split('uses: ')[1]?.split('@')[0]));
    assert.equal(versions.size, actions.size, 'each action has one version');
  });

  it('run on the oldest Node that is promised', () => {
    const versions = steps.flatMap(([, { with: given = {} }]) => ('node-version' in given ? [given['node-version']] : []));
    assert.ok(versions.length >= 2);
    for (const version of versions) assert.equal(`>=${version}`, engines.node);
  });

  it('may read the repository, and the release alone gets a token', () => {
    for (const [name, { permissions }] of all) assert.deepEqual(permissions, { contents: 'read' }, name);
    for (const [place, { permissions, environment }] of jobs) {
      const publishes = place === 'release.yml: publish';
      assert.deepEqual(permissions, publishes ? { contents: 'read', 'id-token': 'write' } : undefined, place);
      assert.equal(environment, publishes ? 'release' : undefined, place);
    }
    for (const [place, { uses = '', with: given = {} }] of steps) {
      if (uses.startsWith('actions/checkout@')) assert.equal(given['persist-credentials'], false, place);
    }
  });

  it('end within 90 minutes, and publish a tag after all tests only', () => {
    for (const [place, { uses, 'timeout-minutes': minutes = 0 }] of jobs) {
      assert.ok(uses !== undefined || (minutes > 0 && minutes <= 90), place);
    }
    const { test, publish } = workflow('release.yml').jobs;
    assert.equal(test?.uses, './.github/workflows/ci.yml');
    assert.equal(publish?.needs, 'test');
    assert.equal(publish?.if, "github.ref_type == 'tag'");
    // Its tokens are given to the step that publishes, and to no other.
    const holders = steps.filter(([, step]) => JSON.stringify(step).includes('secrets.')).map(([, { run }]) => run);
    assert.deepEqual(holders, ['sh -e build/release/publish.sh']);
    for (const [place, { env = {} }] of jobs) assert.ok(!JSON.stringify(env).includes('secrets.'), place);
    // What is published is built from the commit alone.
    assert.ok(!publish?.steps?.some(({ uses = '', with: given = {} }) => uses.startsWith('actions/cache@') || 'cache' in given));
  });
});

describe('forms', () => {
  const forms = readdirSync(FORMS).filter((name) => name !== 'config.yml');

  it('ask what is needed to find a payment, and for no secret', () => {
    assert.deepEqual(forms.sort(), ['bug.yml', 'feature.yml', 'payer.yml']);
    for (const form of forms) {
      const { name, description, body } = parse(readFileSync(join(FORMS, form), 'utf8')) as {
        name: string;
        description: string;
        body: Field[];
      };
      assert.ok(name !== '' && description !== '', form);
      const ids = body.flatMap(({ id, type }) => (type === 'markdown' ? [] : [id]));
      assert.equal(new Set(ids).size, ids.length, form);
      assert.ok(!ids.includes(undefined), form);
      if (form === 'feature.yml') continue;
      assert.ok(ids.includes('correlation') && ids.includes('safe'), form);
    }
  });

  it('name documents that exist', () => {
    for (const form of readdirSync(FORMS)) {
      const text = readFileSync(join(FORMS, form), 'utf8');
      const named = [...text.matchAll(/\b(?:docs\/[a-z-]+|[A-Z]{2,})\.md\b/g)].map(([file]) => file);
      assert.ok(named.length > 0, form);
      for (const file of named) assert.ok(existsSync(file), `${form}: ${file}`);
    }
  });

  it('lead a report of a weakness away from what is public', () => {
    const config = parse(readFileSync(join(FORMS, 'config.yml'), 'utf8'));
    assert.equal(config.blank_issues_enabled, false);
    assert.deepEqual(
      config.contact_links.map(({ url }: { url: string }) => url),
      [`${PLACEHOLDER}/security/policy`],
    );
    assert.ok(existsSync('SECURITY.md'));
  });
});

describe('owners', () => {
  it('wait for their names, and own paths that exist', () => {
    const rules = readFileSync('.github/CODEOWNERS', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/\s+/));
    assert.equal(rules[0]?.[0], '*');
    for (const [path = '', ...owners] of rules) {
      assert.ok(path === '*' || existsSync(path.slice(1)), path);
      assert.deepEqual(owners, ['@YOUR-NAME'], path);
    }
    const guide = readFileSync('docs/deploy.md', 'utf8');
    for (const told of ['`@YOUR-NAME` in `.github/CODEOWNERS`', '`.github/ISSUE_TEMPLATE/config.yml`'])
      assert.ok(guide.includes(told), told);
  });

  it('get a change that names what CONTRIBUTING asks', () => {
    const template = readFileSync('.github/pull_request_template.md', 'utf8');
    const [, file = '', heading = ''] = /\((?:\.\.\/)([A-Z]+\.md)#([a-z-]+)\)/.exec(template) ?? [];
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
      text.toLowerCase().replaceAll(' ', '-'),
    );
    assert.ok(headings.includes(heading), heading);
  });
});
