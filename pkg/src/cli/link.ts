/** `link`: makes a payment by link at a treasury, or pays one. */
import type { ExpectedLink } from '../agent/cards.js';
import { memberOf } from '../error.js';
import { fileStore } from '../file-store.js';
import { resume, resumedPayments } from '../resume.js';
import { asking, keptBeside, told, walletOf } from './pay.js';
import { asked } from './request.js';
import { jsonText, tell, visible } from './terminal.js';
import { EXIT, Usage, type Words } from './words.js';

export async function link(words: Words): Promise<number> {
  const [, name, ...given] = words.positionals;
  if (name === 'create') return create(words, given);
  if (name === 'pay') return pay({ ...words, positionals: ['pay', ...given] });
  throw new Usage('after link comes create or pay');
}

async function create({ values }: Words, [amount, symbol, recipient, ...others]: readonly string[]): Promise<number> {
  if (amount === undefined || symbol === undefined || recipient === undefined || others.length > 0)
    throw new Usage('link create is followed by AMOUNT SYMBOL RECIPIENT');
  const { treasury, network } = values;
  if (treasury === undefined) throw new Usage('the treasury is missing: --treasury URL');
  const operatorToken = process.env['FAREBOX_OPERATOR_TOKEN'];
  if (operatorToken === undefined || operatorToken === '') throw new Usage("there is no FAREBOX_OPERATOR_TOKEN: set it to the treasury's");
  const { createPaymentLink } = await import('../agent/links.js');
  const draft = { amount, symbol, recipient, ...(network?.[0] === undefined ? {} : { network: network[0] }) };
  const made = await createPaymentLink(draft, { treasury, operatorToken });
  process.stdout.write(values.json === true ? `${jsonText(made, 2)}\n` : `${visible(made.url ?? made.paymentId)}\n`);
  return EXIT.done;
}

/** Pays what the link says, once the person has seen it. */
async function pay(words: Words): Promise<number> {
  const request = asked(words);
  const { url, policy, store } = request;
  const signer = walletOf(words);
  const { payPaymentLink, readPaymentLink } = await import('../agent/links.js');
  const expected = termsOf(await readPaymentLink(url));
  const options = { signer, policy, store: fileStore(store), confirm: asking(words, policy), resume };
  const { origin, pathname } = new URL(url);
  const { receipt, text, status, final } = await keptBeside(request, () => payPaymentLink(url, expected, options), signer);
  if (receipt !== undefined) tell(words.values.json === true ? `${jsonText(receipt)}\n` : told(receipt));
  process.stdout.write(`${text === '' ? (status ?? '') : text}\n`);
  if (status === 'completed') return EXIT.done;
  // Whatever the treasury says of it, what is in the budget was signed for it, now or before.
  const hasSigned = signer.hasSigned || (await resumedPayments(options.store)).some((it) => it.url === `${origin}${pathname}`);
  return final && !hasSigned ? EXIT.failed : EXIT.signed;
}

/** What a link says that it asks for. */
function termsOf(said: unknown): ExpectedLink {
  const request = ['challenge', 'data', 'request'].reduce(memberOf, said);
  const text = (name: string): string => String(memberOf(request, name) ?? '');
  const chain = memberOf(memberOf(request, 'methodDetails'), 'chainId');
  return { amount: text('amount'), token: text('currency'), recipient: text('recipient'), network: `eip155:${String(chain)}` };
}
