#!/usr/bin/env node
/** The command line: `npx farebox look`, `pay`, `resend`, `unblock`, `receipt`, `link`, `skill`, `check` and `serve`. */
import { link } from './link.js';
import { look } from './look.js';
import { pay } from './pay.js';
import { receipt } from './receipt.js';
import { failed } from './remedies.js';
import { resend } from './resend.js';
import { skill } from './skill.js';
import { unblock } from './unblock.js';
import { EXIT, HELP, read, Usage, version } from './words.js';

const COMMANDS = { look, pay, resend, unblock, receipt, link, skill } as const;

async function main(args: string[]): Promise<number> {
  if (args[0] === 'check') return check(args.slice(1));
  if (args[0] === 'serve') return (await import('./serve.js')).serve(args.slice(1));
  const words = read(args);
  const [name = ''] = words.positionals;
  if (words.values.version === true) return printed(`${version()}\n`);
  if (words.values.help === true || name === 'help') return printed(HELP);
  if (!Object.hasOwn(COMMANDS, name)) throw new Usage(`the first word is ${Object.keys(COMMANDS).join(', ')}, check, serve, or --help`);
  return COMMANDS[name as keyof typeof COMMANDS](words);
}

/** The check of a gate's configuration: a program of its own beside this one. */
async function check(args: string[]): Promise<number> {
  const program = (await import(new URL('../../check/index.js', import.meta.url).href)) as {
    main: (args: string[], begin: string) => Promise<number>;
  };
  return program.main(args, 'npx farebox check');
}

function printed(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

// A reader that has enough, such as head, is no failure.
process.stdout.on('error', () => process.exit());
process.exitCode = await main(process.argv.slice(2)).catch(failed);
