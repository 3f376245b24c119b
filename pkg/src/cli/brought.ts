/** Commands that the package `farebox-gate` brings: whoever only pays does not install it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { packedFile, Usage, version } from './words.js';

/** Brings them. */
const PACKAGE = 'farebox-gate';
/** Their names. */
export const BROUGHT = ['init', 'check', 'dev', 'deploy', 'upgrade', 'serve', 'backup', 'restore'] as const;

/** The module of that package. */
type Commands = { run(name: string, args: readonly string[]): Promise<number> };

/** Runs one of them. Fetches nothing: it is the package beside this one, or else that of the project in this folder. */
export async function brought(name: string, args: readonly string[]): Promise<number> {
  const found = [import.meta.url, join(process.cwd(), 'package.json')].map(manifestFrom).find((place) => place !== undefined);
  const install = `npm install ${packedFile('farebox')} ${packedFile(PACKAGE)}`;
  if (found === undefined) throw new Usage(`${name} comes with the package ${PACKAGE}, which is not installed here: ${install}`);
  const { version: theirs } = JSON.parse(readFileSync(found, 'utf8')) as { version: string };
  if (theirs !== version())
    throw new Usage(
      `${name} comes with the package ${PACKAGE} of the same version, and here it is ${theirs} beside ${version()}: ${install}`,
    );
  const { run } = (await import(pathToFileURL(join(found, '..', 'dist', 'commands.js')).href)) as Commands;
  return run(name, args);
}

/** Where that package is described, as a module there finds it. */
function manifestFrom(module: string): string | undefined {
  try {
    return createRequire(module).resolve(`${PACKAGE}/package.json`);
  } catch {
    return undefined;
  }
}
