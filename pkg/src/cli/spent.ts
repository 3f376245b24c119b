/** `spent`: what was spent of each cap, what is open, and the receipts, as the budget on this machine tells them. Nothing is sent or written. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { fileStore } from '../file-store.js';
import { type Spent, spent as spentOf } from '../look.js';
import { type KeptPayment, sentPayments } from '../resume.js';
import { memoryStore, type Store } from '../store.js';
import { inLines } from './look.js';
import { policyOf, storeOf } from './request.js';
import { jsonText, visible } from './terminal.js';
import { EXIT, Usage, type Words } from './words.js';

export async function spent(words: Words): Promise<number> {
  if (words.positionals.length > 1) throw new Usage('spent takes no argument: the folder of the budget follows --store');
  const folder = budgetOf(storeOf(words));
  const store = read(folder);
  const caps = await spentOf({ policy: policyOf(words.values), store });
  const payments = [...(await sentPayments(store)), ...(await sentPayments(read(sentBeside(folder))))];
  if (words.values.json === true) process.stdout.write(`${jsonText({ folder, caps, payments }, 2)}\n`);
  else process.stdout.write(visible(inLines([['budget', folder], ...caps.map(ofCap), ...payments.map(ofPayment)])));
  return EXIT.done;
}

/** The folder of a budget: of `pay` and `payingFetch` the one that is named, and in the folder of `farebox-mcp` the part that has it. */
function budgetOf(folder: string): string {
  const inside = join(folder, 'budget');
  return existsSync(inside) ? inside : folder;
}

/** What `farebox-mcp` has sent, which lies beside its budget. */
const sentBeside = (budget: string): string => (basename(budget) === 'budget' ? join(dirname(budget), 'sent') : '');

/** A folder that is not there is not made: nothing was spent by it. */
const read = (folder: string): Store => (existsSync(folder) ? fileStore(folder) : memoryStore());

type Line = readonly [name: string, text: string];

function ofCap({ cap, of, max, spent: counted, remaining }: Spent): Line {
  return [cap, `${counted} of ${max} is spent${of === undefined ? '' : `, for ${of}`}, ${remaining} remains`];
}

function ofPayment({ method, url, askedUrl = url, open, ends, payer, receipt }: KeptPayment): Line {
  const what = `${method} ${askedUrl}`;
  const proof = receipt && `${receipt.price} ${receipt.symbol} on ${receipt.network}, transaction ${receipt.transaction}`;
  if (open) {
    const until = ends === undefined ? 'it has no end that is known' : `until ${new Date(ends * 1000).toISOString()} it may be charged`;
    return ['open', [what, proof, until, payer && `from ${payer}`].filter(Boolean).join(', ')];
  }
  return proof === undefined ? ['ended', `${what}, without a receipt`] : ['paid', `${what}, ${proof}`];
}
