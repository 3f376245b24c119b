// Builds and checks everything that a release would publish, and says which commands publish it.
//
//   npm run release -- --dry-run [--tag v0.1.0]
//
// Publishes nothing itself. Writes build/release/publish.sh, which does, and leaves out what the registries have: crates.io
// takes few new crates at once, so that a first release stops half way and is run again. `--tag` has to be that of the version. `FAREBOX_REPOSITORY`, or the git remote `origin`, is the repository that
// the packages name; npm's provenance needs it, so without one there is no publish.sh.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { buildMcp } from './mcp.mjs';
import { manifestOf, PACKAGES } from './packages.mjs';
import { buildPackage } from './pkg.mjs';
import { unbuilt } from './prepack.mjs';
import { setup } from './setup.mjs';
import { root, runMain, StepFailed, step } from './steps.mjs';

const { values } = parseArgs({
  options: { 'dry-run': { type: 'boolean', default: false }, 'no-build': { type: 'boolean', default: false }, tag: { type: 'string' } },
});
const OUT = join(root, 'build', 'release');
const PUBLISH = join(OUT, 'publish.sh');
/** The crates, each after those that it uses. */
const CRATES = [
  'farebox-base',
  'farebox-machine',
  'farebox-evm',
  'farebox-common',
  'farebox-wire',
  'farebox-channel',
  'farebox-ledger',
  'farebox-gate',
  'farebox-payer',
  'farebox-treasury',
  'farebox-market',
  'farebox-core',
];
/** Fields without which a package is not published. */
const NEEDED = ['description', 'license', 'keywords', 'engines', 'files'];

await runMain(async () => {
  if (!values['dry-run']) throw new StepFailed('this publishes nothing: run it with --dry-run, then the commands that it prints');
  const version = await step('versions and change log', async () => agreedVersion(values.tag));
  if (!values['no-build']) {
    await setup();
    await buildPackage();
    await buildMcp();
  }
  const repository = repositoryUrl();
  rmSync(OUT, { recursive: true, force: true });
  /** @type {Packed[]} */
  const packages = [];
  for (const folder of PACKAGES)
    packages.push(await step(`npm package ${manifestOf(folder).name}`, async () => packed(folder, { version, repository })));
  const crate = await step('crates', async () => crateFiles());
  console.log(`
${packages.map(({ name, tarball, files, bytes }) => `${name} ${version}: ${files} files, ${bytes} bytes, in ${tarball}`).join('\n')}
farebox-core ${version} and the crates that it shows: ${crate} files
repository: ${repository ?? 'unknown'}`);
  if (repository === undefined) {
    console.log(
      '\nAll is ready but one thing: npm publishes only what names its repository. Set FAREBOX_REPOSITORY=https://github.com/you/farebox, or a git remote `origin`.',
    );
    return;
  }
  writeFileSync(PUBLISH, publishing({ version, packages }));
  console.log(`
To publish, push the tag: .github/workflows/release.yml then runs build/release/publish.sh (provenance needs the token of that run).
  git tag -s v${version} -m 'Farebox ${version}'
  git push origin v${version}
It has these commands, each unless the registry has the version:
  ${[...packages.map((one) => `npm publish ${one.tarball}`), ...CRATES.map((crate) => `cargo publish --locked -p ${crate}`)].join('\n  ')}`);
});

/**
 * The script that publishes, in the order in which packages need each other.
 *
 * @param {{version: string, packages: readonly {name: string, tarball: string}[]}} release
 */
function publishing({ version, packages }) {
  return [
    ...packages.map(({ name, tarball }) => `[ -n "$(npm view ${name}@${version} version 2>/dev/null)" ] || npm publish ${tarball}`),
    ...CRATES.map(
      (crate) => `cargo info --quiet --registry crates-io ${crate}@${version} >/dev/null 2>&1 || cargo publish --locked -p ${crate}`,
    ),
    '',
  ].join('\n');
}

/**
 * The one version of all packages, which the change log describes.
 *
 * @param {string | undefined} tag
 */
function agreedVersion(tag) {
  const { version } = manifestOf('pkg');
  const cargo = /^version = "(.*)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))?.[1];
  if (version !== cargo) throw new StepFailed(`pkg/package.json is ${version} and Cargo.toml ${cargo}: they are released together`);
  if (tag !== undefined && tag !== `v${version}`) throw new StepFailed(`the tag is ${tag}, and that of this version is v${version}`);
  const log = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const told =
    log.includes(`\n## [${version}]`) || new RegExp(`^## \\[Unreleased\\]\\s+Version ${version.replaceAll('.', '\\.')}\\.`, 'm').test(log);
  if (!told) throw new StepFailed(`CHANGELOG.md has no entry for ${version}`);
  return version;
}

/** The https address of the repository, if it is known. */
function repositoryUrl() {
  const told = process.env.FAREBOX_REPOSITORY ?? remote();
  const [, host, path] = /^(?:https:\/\/|git@|ssh:\/\/git@)([\w.-]+)[:/]([\w./-]+?)(?:\.git)?$/.exec(told ?? '') ?? [];
  return host === undefined ? undefined : `https://${host}/${path}`;
}

function remote() {
  try {
    return execFileSync('git', ['remote', 'get-url', 'origin'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

/**
 * A tarball.
 *
 * @typedef {{name: string, tarball: string, files: number, bytes: number}} Packed
 */

/**
 * The tarball as npm would publish it, from a copy that names the repository.
 *
 * @param {string} folder
 * @param {{version: string, repository: string | undefined}} release
 * @returns {Packed}
 */
function packed(folder, { version, repository }) {
  const { scripts: _, ...manifest } = manifestOf(folder);
  const wrong = [...unbuilt(join(root, folder)), ...unfit(manifest, version)];
  if (wrong.length > 0) throw new StepFailed(`${folder}/package.json: ${wrong.join(', ')}`);
  const copy = join(OUT, basename(folder));
  mkdirSync(copy, { recursive: true });
  for (const name of manifest.files) cpSync(join(root, folder, name), join(copy, name), { recursive: true });
  writeFileSync(join(copy, 'package.json'), `${JSON.stringify({ ...manifest, ...placeOf(manifest, folder, repository) }, null, 2)}\n`);
  return { name: manifest.name, ...tarballOf(copy, manifest.files) };
}

/**
 * What keeps a package from being published: everything that is not ours is bundled, and ours is of this very version.
 *
 * @param {import('./packages.mjs').Manifest} manifest
 * @param {string} version
 * @returns {string[]}
 */
function unfit(manifest, version) {
  const { publishConfig, dependencies = {} } = manifest;
  const ours = PACKAGES.map((folder) => manifestOf(folder).name);
  const others = Object.entries(dependencies).filter(([name, range]) => !ours.includes(name) || range !== version);
  return [
    ...NEEDED.filter((field) => manifest[field] === undefined).map((field) => `there is no ${field}`),
    ...(manifest.version === version ? [] : [`its version is ${manifest.version}, and that of the others ${version}`]),
    ...others.map(([name, range]) => `it depends on ${name} ${range}`),
    ...(publishConfig?.access === 'public' ? [] : ['publishConfig does not ask for public access']),
    ...(publishConfig?.provenance === undefined ? [] : ['provenance is set here, together with the repository that it needs']),
    ...(manifest.private === true ? ['it is private'] : []),
  ];
}

/**
 * What a manifest says about where the package comes from.
 *
 * @param {Record<string, any>} manifest
 * @param {string} directory
 * @param {string | undefined} repository
 */
function placeOf(manifest, directory, repository) {
  if (repository === undefined) return {};
  return {
    repository: { type: 'git', url: `git+${repository}.git`, directory },
    homepage: `${repository}#readme`,
    bugs: `${repository}/issues`,
    publishConfig: { ...manifest.publishConfig, provenance: true },
  };
}

/**
 * @param {string} copy
 * @param {readonly string[]} named
 */
function tarballOf(copy, named) {
  const [pack] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', OUT], {
      cwd: copy,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const paths = pack.files.map((/** @type {{path: string}} */ file) => file.path);
  const stray = paths.filter((/** @type {string} */ path) => ![...named, 'package.json'].includes(path.split('/')[0] ?? ''));
  if (stray.length > 0) throw new StepFailed(`these do not belong into the package: ${stray.join(', ')}`);
  return { tarball: join('build', 'release', pack.filename), files: paths.length, bytes: pack.size };
}

/** How many files the crates have; each is complete without the rest of the workspace. */
function crateFiles() {
  const counts = CRATES.map((crate) => {
    const list = execFileSync('cargo', ['package', '--list', '--allow-dirty', '--offline', '-p', crate], { cwd: root, encoding: 'utf8' });
    const files = list.trim().split('\n');
    const needed =
      crate === 'farebox-core' ? ['Cargo.toml', 'README.md', 'LICENSE-APACHE', 'LICENSE-MIT', 'src/lib.rs'] : ['Cargo.toml', 'src/lib.rs'];
    for (const file of needed) {
      if (!files.includes(file)) throw new StepFailed(`the crate ${crate} has no ${file}`);
    }
    return files.length;
  });
  return counts.reduce((sum, count) => sum + count);
}
