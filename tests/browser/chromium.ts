// Headless Chromium: the system's where there is one, else the one that comes with npm's packages. Nothing is downloaded.

import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createBrotliDecompress } from 'node:zlib';

import { type Browser, chromium } from 'playwright-core';

import { root } from '../../scripts/steps.mjs';

/** Debian's, or the one that the environment names. */
const SYSTEM = process.env.FAREBOX_CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run'];
const START_MS = 60_000;

/** Starts it with a profile of its own. */
export async function startChromium(): Promise<Browser> {
  const { executablePath, env } = existsSync(SYSTEM) ? { executablePath: SYSTEM, env: {} } : await packaged();
  return chromium.launch({ executablePath, args: ARGUMENTS, timeout: START_MS, env: { ...process.env, ...env } });
}

/** The program of `@sparticuz/chromium` with the libraries that it needs, unpacked once. */
async function packaged(): Promise<{ executablePath: string; env: Record<string, string> }> {
  const packed = dirname(dirname(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'))));
  const { version } = JSON.parse(await readFile(join(packed, 'package.json'), 'utf8')) as { version: string };
  const folder = join(root, 'target', 'chromium', version);
  if (!existsSync(folder)) await unpack(join(packed, 'bin'), folder);
  const env = { LD_LIBRARY_PATH: join(folder, 'lib'), FONTCONFIG_PATH: join(folder, 'fonts') };
  return { executablePath: join(folder, 'chromium'), env };
}

/** Unpacks into a draft, which gets its name when it is whole: another process may do the same. */
async function unpack(packed: string, folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}-`);
  const open = (name: string, to: string): Promise<void> =>
    pipeline(
      createReadStream(join(packed, `${name}.br`)),
      createBrotliDecompress({ chunkSize: 2 ** 21 }),
      createWriteStream(join(draft, to), { mode: 0o755 }),
    );
  const files = async (name: string): Promise<void> => {
    await open(`${name}.tar`, `${name}.tar`);
    await promisify(execFile)('tar', ['-xf', `${name}.tar`], { cwd: draft });
    await rm(join(draft, `${name}.tar`));
  };
  await Promise.all([open('chromium', 'chromium'), files('al2023'), files('fonts'), files('swiftshader')]);
  // Where another process was faster, its folder is the same.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
}
