#!/usr/bin/env node
/** The command line: `npx farebox find`, `look`, `pay`, `resend`, `spent`, `unblock`, `receipt`, `link`, `skill`, and what `farebox-gate` brings: `serve`, and for a gate on Cloudflare `init`, `check`, `dev`, `deploy` and `upgrade`. */
import { BROUGHT, brought } from './brought.js';
import { find } from './find.js';
import { link } from './link.js';
import { look } from './look.js';
import { OPERATE } from './operate/words.js';
import { pay } from './pay.js';
import { receipt } from './receipt.js';
import { failed } from './remedies.js';
import { resend } from './resend.js';
import { skill } from './skill.js';
import { spent } from './spent.js';
import { reader, tell } from './terminal.js';
import { unblock } from './unblock.js';
import { EXIT, HELP, read, Usage, version } from './words.js';

const COMMANDS = { find, look, pay, resend, spent, unblock, receipt, link, skill } as const;

/** All commands. */
const NAMES = [...Object.keys(COMMANDS), ...BROUGHT, ...OPERATE, 'completion'];

async function main(args: string[]): Promise<number> {
  const theirs = BROUGHT.find((name) => name === args[0]);
  if (theirs !== undefined) return brought(theirs, args.slice(1));
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
