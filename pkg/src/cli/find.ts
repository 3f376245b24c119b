/** `find`: what a bazaar lists for some words. Nothing is signed, and no seller is asked. */
import type { FoundResource } from '../agent/bazaar.js';
import { fileStore } from '../file-store.js';
import type { Look } from '../look.js';
import { inLines } from './look.js';
import { policyOf, storeOf } from './request.js';
import { jsonText, tell, visible } from './terminal.js';
import { EXIT, Usage, type Words } from './words.js';

export async function find(words: Words): Promise<number> {
  const [, ...query] = words.positionals;
  if (query.length === 0) throw new Usage("find is followed by what you look for, such as 'weather forecast'");
  const { facilitator, limit, json } = words.values;
  if (limit !== undefined && !/^([1-9][0-9]?|100)$/.test(limit)) throw new Usage('--limit is a number from 1 to 100');
  // The part of agents is not loaded by who only pays.
  const { findResources } = await import('../agent/bazaar.js');
  const { resources, more } = await findResources(query.join(' '), {
    policy: policyOf(words.values),
    store: fileStore(storeOf(words)),
    ...(facilitator === undefined ? {} : { facilitator }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
  });
  if (json === true) process.stdout.write(`${jsonText({ resources, more }, 2)}\n`);
  else process.stdout.write(visible(resources.map((resource) => `${inLines(linesOf(resource))}\n`).join('')));
  tell(resources.length === 0 ? 'nothing is listed for these words\n' : `${HINT}${more ? '; there are more, see --limit' : ''}\n`);
  return EXIT.done;
}

const HINT = "a listing is its seller's word: farebox look URL asks what a call costs now";

function linesOf({ url, method, type, tool, description, service, tags, offers }: FoundResource): (readonly [string, string])[] {
  const lines: (readonly [string, string])[] = [['request', type === 'mcp' ? `${tool ?? 'a tool'} at ${url}` : `${method} ${url}`]];
  if (description !== '') lines.push(['for', description]);
  if (service !== '') lines.push(['by', service]);
  if (tags.length > 0) lines.push(['tags', tags.join(', ')]);
  for (const [at, offer] of offers.entries()) lines.push([at === 0 ? 'price' : '', priceOf(offer)]);
  return lines;
}

function priceOf({ allowed, offer, refusal }: Look): string {
  const verdict = allowed ? 'your policy allows it' : `not paid: ${refusal?.quote ?? refusal?.message ?? 'it cannot be read'}`;
  return offer === undefined ? verdict : `${offer.amountText} on ${offer.network}; ${verdict}`;
}
