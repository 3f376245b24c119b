/** The commands of an operator: what they ask of a Worker, and what they decide there. */
import type { Operator } from '../../operator/client.js';
import { Refused, Unreadable } from '../../operator/client.js';
import { tell } from '../terminal.js';
import { EXIT } from '../words.js';
import { operatorOf } from './client.js';
import { audit, channels, exported, failures, owed, payments, refund, resolve, totals, waive } from './gate.js';
import { deeds, holds, jobs, sellers, takeback, waiting } from './market.js';
import { answers, auditOf, disable, either, exportOf, reviews } from './treasury.js';
import { HELP, type OPERATE, type Spoken, spokenIn } from './words.js';

const COMMANDS: Readonly<Record<(typeof OPERATE)[number], (operator: Operator, spoken: Spoken) => Promise<number>>> = {
  payments,
  owed,
  refund,
  waive,
  resolve,
  totals,
  audit: either(audit, auditOf),
  failures,
  channels,
  export: either(exported, exportOf),
  reviews,
  approve: answers('approve'),
  deny: answers('deny'),
  disable,
  waiting,
  holds,
  ask: deeds('ask'),
  end: deeds('end'),
  jobs,
  sellers,
  takeback,
};

/** Runs a command of an operator. */
export async function operate(name: (typeof OPERATE)[number], args: readonly string[]): Promise<number> {
  const spoken = spokenIn(name, args);
  if (spoken.values.help === true) {
    process.stdout.write(HELP);
    return EXIT.done;
  }
  try {
    return await COMMANDS[name](operatorOf(spoken.values.at), spoken);
  } catch (error) {
    if (error instanceof Unreadable) {
      tell(`farebox: ${error.message}\n`);
      return EXIT.failed;
    }
    if (!(error instanceof Refused)) throw error;
    tell(`farebox: ${error.status}${error.code === '' ? '' : ` ${error.code}`}: ${error.message}\n`);
    if (error.parameter !== '') tell(`         --${error.parameter} has not the form that --help names\n`);
    if (error.status === 404 && error.code === 'not_found')
      tell('         what was asked for is not there, or no OPERATOR_TOKEN is set there\n');
    if (error.status === 401) tell('         FAREBOX_OPERATOR_TOKEN is another one than there\n');
    return EXIT.failed;
  }
}
