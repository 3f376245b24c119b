/** `receipt`: what a receipt says, and who signed it. */
import { decodeHeader, receiptSigner } from '../codec.js';
import { memberOf, unusable } from '../error.js';
import { textOf } from './request.js';
import { jsonText, tell } from './terminal.js';
import { EXIT, Usage, type Words } from './words.js';

export async function receipt({ values, positionals }: Words): Promise<number> {
  const [, word, ...others] = positionals;
  if (word === undefined || others.length > 0) throw new Usage('one receipt is needed: the text of its header, or - for standard input');
  const said = read(textOf(word).trim());
  const signed = signedIn(said);
  const signer = signed === undefined ? null : receiptSigner(signed).signer;
  process.stdout.write(`${jsonText({ receipt: said, signer }, 2)}\n`);
  if (values.keys === undefined) return EXIT.done;
  const known = signer !== null && (await keysOf(values.keys)).includes(signer.toLowerCase());
  tell(known ? 'farebox: the signer is a key of this gate\n' : 'farebox: no key of this gate signed it\n');
  return known ? EXIT.done : EXIT.failed;
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
