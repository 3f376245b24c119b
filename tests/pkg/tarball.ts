// The packages as npm would publish them, and projects that install them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { accessSync, constants, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface Tarball {
  path: string;
  /** What is in it, without the leading `package/`. */
  files: string[];
}

/** A folder that is gone after the tests. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'farebox-pkg-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** `npm pack` of a package, into a folder. */
export async function packPackage(folder: string, of = 'pkg'): Promise<Tarball> {
  const { stdout } = await started('npm', ['pack', '--json', '--pack-destination', folder], of);
  const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  if (packed === undefined) throw new Error('npm packed nothing');
  return { path: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** The same for several, each by its name: `farebox`, and those of these names without that beginning. */
export async function packPackages(folder: string, names: readonly string[] = []): Promise<Readonly<Record<string, Tarball>>> {
  const packed: Record<string, Tarball> = { farebox: await packPackage(folder) };
  for (const name of names) packed[`farebox-${name}`] = await packPackage(folder, name === 'mcp' ? name : `pkg/${name}`);
  return packed;
}

/** A project of these files that has the packages and nothing else, with no network and no cache to take anything from. */
export async function installedProject(
  folder: string,
  packed: Tarball | readonly Tarball[],
  files: Readonly<Record<string, string>>,
): Promise<void> {
  writeFiles(folder, files);
  const cache = temporaryFolder();
  try {
    await started(
      'npm',
      ['install', ...[packed].flat().map(({ path }) => path), '--offline', '--cache', cache.path, '--no-audit', '--no-fund'],
      folder,
    );
  } finally {
    cache.remove();
  }
}

/** A project of these files beside all that another one has installed. */
export function alikeProject(installed: string, folder: string, files: Readonly<Record<string, string>>): void {
  // A command stands in `.bin` as a link to its file.
  cpSync(installed, folder, { recursive: true, verbatimSymlinks: true });
  writeFiles(folder, files);
}

function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, contents] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
}

/** What a program writes; it fails with all of that. */
export async function started(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ stdout: string }> {
  // What npm tells its scripts is about this project, not about the one in `cwd`.
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm_|NODE_TEST_CONTEXT$)/i.test(name)));
  try {
    return await run(command, args, { cwd, env: own, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { message, stdout = '', stderr = '' } = error as Error & { stdout?: string; stderr?: string };
    throw new Error(`${message}\n${stdout}\n${stderr}`);
  }
}

/** Asserts that nothing of Rust is found by its name there. */
export function assertNoRust({ PATH = '' }: NodeJS.ProcessEnv): void {
  for (const place of PATH.split(delimiter))
    for (const name of ['cargo', 'rustc', 'rustup']) assert.throws(() => accessSync(join(place, name), constants.X_OK), name);
}

export interface Lines {
  /** The import alone. */
  import: string;
  /** What follows it. */
  rest: string;
}

/** The program at the top of the package's README, with this key and this address for the ones that stand there. */
export function readmeLines(key: string, url: string): Lines {
  const block = /^```js\n(.*?)^```$/ms.exec(readFileSync('pkg/README.md', 'utf8'))?.[1] ?? '';
  const placed = [
    ['process.env.FAREBOX_PRIVATE_KEY', JSON.stringify(key)],
    ["'https://api.example.com/report'", JSON.stringify(url)],
  ] as const;
  let text = block;
  for (const [stands, given] of placed) {
    if (text.split(stands).length !== 2) throw new Error(`the README's program has to say ${stands} once`);
    text = text.replace(stands, given);
  }
  const lines = text.trimEnd().split('\n');
  if (lines.length > 10) throw new Error(`the README's program has ${lines.length} lines`);
  const [first = '', ...others] = lines;
  if (!/^import \{.*\} from 'farebox';$/.test(first)) throw new Error("the README's program begins with its import");
  return { import: first, rest: others.join('\n') };
}

const run = promisify(execFile);
