/** `receipt`: what a receipt says, and who signed it. */
import { decodeHeader, receiptSigner } from '../codec.js';
import { memberOf, unusable } from '../error.js';
import { visible } from '../visible.js';
import { inLines } from './look.js';
import { textOf } from './request.js';
import { jsonText, tell } from './terminal.js';
import { EXIT, Usage, type Words } from './words.js';

export async function receipt({ values, positionals }: Words): Promise<number> {
  const [, word, ...others] = positionals;
  if (word === undefined || others.length > 0) throw new Usage('one receipt is needed: the text of its header, or - for standard input');
  const said = read(textOf(word).trim());
  const signed = signedIn(said);
  const signer = signed === undefined ? null : receiptSigner(signed).signer;
  if (values.json === true) process.stdout.write(`${jsonText({ receipt: said, signer }, 2)}\n`);
  else {
    process.stdout.write(inLines(linesOf(said, memberOf(signed, 'payload'), signer)));
    tell('the amount stands in no receipt: the transaction has it; --json prints all that the receipt says\n');
  }
  if (values.keys === undefined) return EXIT.done;
  const known = signer !== null && (await keysOf(values.keys)).includes(signer.toLowerCase());
  tell(known ? 'farebox: the signer is a key of this gate\n' : 'farebox: no key of this gate signed it\n');
  return known ? EXIT.done : EXIT.failed;
}

/** Where the transaction and the network stand: in a signed receipt, in a settlement, or in a receipt of MPP. */
function linesOf(said: unknown, payload: unknown, signer: string | null): (readonly [string, string])[] {
  const isSaid = (value: unknown): value is string | number => (typeof value === 'string' && value !== '') || typeof value === 'number';
  const first = (...values: unknown[]): string => visible(String(values.find(isSaid) ?? 'it does not say'));
  // What is around a signed receipt was signed by nobody.
  const member = (name: string): unknown[] => [payload === undefined ? memberOf(said, name) : memberOf(payload, name)];
  const [chain] = member('chainId');
  return [
    ['url', first(...member('resourceUrl'))],
    ['payer', first(...member('payer'))],
    ['transaction', first(...member('transaction'), ...member('reference'))],
    ['network', first(...member('network'), chain === undefined ? undefined : `eip155:${String(chain)}`)],
    ['signer', signer ?? 'nobody: only a receipt of offer-receipt is signed'],
  ];
}

/** A header's value with or without its name, or JSON. */
function read(text: string): unknown {
  const value = text.replace(/^[\w-]+:\s*/, '');
  if (!text.startsWith('{')) return decodeHeader(value);
  try {
    return JSON.parse(text);
  } catch {
    throw unusable('invalid_receipt', 'the receipt is not JSON');
  }
}

/** The receipt of extension `offer-receipt`: in a settlement, or the text itself. */
function signedIn(said: unknown): unknown {
  const inside = ['extensions', 'offer-receipt', 'info', 'receipt'].reduce(memberOf, said);
  return inside ?? (memberOf(said, 'signature') === undefined ? undefined : said);
}

async function keysOf(origin: string): Promise<string[]> {
  if (!URL.canParse(origin)) throw new Usage('--keys takes the origin of a gate: https://…');
  const response = await fetch(new URL('/.well-known/farebox-keys.json', origin));
  const text = response.ok ? await response.text() : '';
  return [...text.matchAll(/0x[0-9a-fA-F]{40}\b/g)].map(([address]) => address.toLowerCase());
}
