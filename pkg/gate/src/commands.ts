/** The commands that this package brings to the command line of `farebox`. */
import { version } from 'farebox/command';

import { checkProgram, localProgram } from './create/rules.js';

/** Each is loaded when it is asked for. */
export const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  init: async (args) => (await import('./create/index.js')).create(args, 'npx farebox init', true),
  check: async (args) => (await checkProgram()).main(args, 'npx farebox check'),
  dev: async (args) => (await localProgram()).dev(args, { begin: 'npx farebox dev' }),
  deploy: async (args) => (await checkProgram()).deploy(args, 'npx farebox deploy'),
  upgrade: async (args) => (await checkProgram()).upgrade(args, { begin: 'npx farebox upgrade', version: version() }),
  serve: async (args) => (await import('./cli/serve.js')).serve(args),
  backup: async (args) => (await import('./cli/backup.js')).backup('backup', args),
  restore: async (args) => (await import('./cli/backup.js')).backup('restore', args),
};

/** Runs one of them; the code to exit with. */
export async function run(name: string, args: readonly string[]): Promise<number> {
  const command = COMMANDS[name];
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return command([...args]);
}
