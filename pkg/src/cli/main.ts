#!/usr/bin/env node
/** The command line: `npx farebox find`, `look`, `pay`, `resend`, `unblock`, `receipt`, `link`, `skill`, `serve`, and for a gate on Cloudflare `init`, `check`, `dev`, `deploy` and `upgrade`. */
import { checkProgram, localProgram } from '../create/rules.js';
import { find } from './find.js';
import { link } from './link.js';
import { look } from './look.js';
import { OPERATE } from './operate/words.js';
import { pay } from './pay.js';
import { receipt } from './receipt.js';
import { failed } from './remedies.js';
import { resend } from './resend.js';
import { skill } from './skill.js';
import { reader, tell } from './terminal.js';
import { unblock } from './unblock.js';
import { EXIT, HELP, read, Usage, version } from './words.js';

const COMMANDS = { find, look, pay, resend, unblock, receipt, link, skill } as const;

/** The commands of a project that is deployed to Cloudflare. */
const PROJECT = {
  init: async (args: string[]) => (await import('../create/index.js')).create(args, 'npx farebox init', true),
  check: async (args: string[]) => (await checkProgram()).main(args, 'npx farebox check'),
  dev: async (args: string[]) => (await localProgram()).dev(args, { begin: 'npx farebox dev' }),
  deploy: async (args: string[]) => (await checkProgram()).deploy(args, 'npx farebox deploy'),
  upgrade: async (args: string[]) => (await checkProgram()).upgrade(args, { begin: 'npx farebox upgrade', version: version() }),
} as const;

/** All commands. */
const NAMES = [...Object.keys(COMMANDS), ...Object.keys(PROJECT), 'serve', 'backup', 'restore', ...OPERATE, 'completion'];

async function main(args: string[]): Promise<number> {
  if (Object.hasOwn(PROJECT, args[0] ?? '')) return PROJECT[args[0] as keyof typeof PROJECT](args.slice(1));
  if (args[0] === 'serve') return (await import('./serve.js')).serve(args.slice(1));
  if (args[0] === 'backup' || args[0] === 'restore') return (await import('./backup.js')).backup(args[0], args.slice(1));
  const asked = OPERATE.find((name) => name === args[0]);
  if (asked !== undefined) return (await import('./operate/index.js')).operate(asked, args.slice(1));
  if (args[0] === 'completion') return (await import('./completion.js')).completion(args.slice(1), NAMES);
  const words = read(args);
  const [name = ''] = words.positionals;
  if (words.values.version === true) return printed(`${version()}\n`);
  if (words.values.help === true || name === 'help') return printed(HELP);
  if (!Object.hasOwn(COMMANDS, name)) throw new Usage(`${nearest(name)}the first word is one of ${NAMES.join(', ')}, or --help`);
  return COMMANDS[name as keyof typeof COMMANDS](words);
}

/** A command that was meant, if one differs from it by a letter at its end. */
function nearest(name: string): string {
  const meant = name.length < 3 ? undefined : NAMES.find((it) => it.startsWith(name) || name.startsWith(it));
  return meant === undefined ? '' : `did you mean ${meant}? `;
}

function printed(text: string): number {
  process.stdout.write(text);
  return EXIT.done;
}

// What is told to nobody stops nothing.
process.stderr.on('error', () => undefined);
let isLost = false;
process.stdout.on('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => {
  // A reader that has enough, such as head, is no failure. What is paid for is noted first, and content that comes live has no end of its own.
  if (code === 'EPIPE' && reader.isHeard) {
    isLost = true;
    return;
  }
  if (code === 'EPIPE') process.exit();
  if (!isLost) tell(`farebox: standard output cannot be written: ${code}\n`);
  isLost = true;
  process.exitCode ||= EXIT.lost;
});
process.exitCode = (await main(process.argv.slice(2)).catch(failed)) || process.exitCode;
// What is left of an answer is not waited for.
if (isLost) process.exit();
