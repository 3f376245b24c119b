// What facilitators say that they support, for the check of a project and that of a command.

import { checkFacilitators, facilitators, serves } from './facilitators.mjs';
import { judge, redirectTarget } from './rules.mjs';
import { message } from './source.mjs';
import { structured } from './worker.mjs';

/**
 * @typedef {object} Probe
 * @property {string} url
 * @property {string} result
 *
 * @typedef {import('./source.mjs').Table} Table
 * @typedef {import('./deployment.mjs').Notes} Notes
 * @typedef {import('./rules.mjs').Judgement['networks']} Networks
 * @typedef {(url: string, shown: string, work: () => Promise<string>, failed?: (why: string) => void) => Promise<void>} Ask
 */

const DEADLINE_MS = 5_000;
/** The extension of facilitators that submit a payer's permit with the payment. */
const SPONSORING = 'eip2612GasSponsoring';
/** Most that is read of an answer, bytes. */
const MOST_BYTES = 1_048_576;

/**
 * Asks what can only be seen by asking, and tells each question before it is asked.
 *
 * @param {(line: string) => void} say
 * @param {Probe[]} probes
 * @returns {Ask}
 */
export function asking(say, probes) {
  return async (url, shown, work, failed = () => {}) => {
    say(`asking ${shown}`);
    const result = await work().catch((error) => {
      const why = `no answer: ${error?.cause instanceof Error ? error.cause.message : message(error)}`;
      failed(why);
      return why;
    });
    say(`  ${result}`);
    probes.push({ url, result });
  };
}

/**
 * What is wrong with the facilitators of these variables, by their own word and by what is known of them.
 *
 * @param {Table} vars
 * @param {(line: string) => void} say
 */
export async function checkSupported(vars, say) {
  /** @type {Record<'errors' | 'warnings', string[]>} */
  const found = { errors: [], warnings: [] };
  /** @type {(list: string[]) => Notes['error']} */
  const into = (list) => (variable, remedy) => void list.push(`${variable}: ${remedy}`);
  const notes = { error: into(found.errors), warning: into(found.warnings) };
  const { networks } = judge(vars);
  checkFacilitators({ vars }, networks, notes);
  await askFacilitators(vars, networks, notes, { ask: asking(say, []), say, probes: [] });
  return found;
}

/**
 * @param {Table} vars
 * @param {Networks} networks
 * @param {Notes} notes
 * @param {{ask: Ask, say: (line: string) => void, probes: Probe[]}} told
 * @returns {Promise<Set<unknown>>} networks whose deposits of sessions some facilitator may send
 */
export async function askFacilitators(vars, networks, notes, { ask, say, probes }) {
  const funded = new Set();
  const sponsored = sponsoredOn(vars, networks);
  for (const facilitator of facilitators(vars)) {
    const url = `${facilitator.url.replace(/\/+$/, '')}/supported`;
    const wanted = networks.filter(({ id, name }) => serves(facilitator.networks, id, name));
    if (facilitator.auth !== 'none') {
      wanted.forEach(({ id }) => funded.add(id));
      const result = 'not asked: it needs the key of the gate';
      say(`${url} is ${result}`);
      probes.push({ url, result });
      continue;
    }
    const unreachable = (/** @type {string} */ why) => {
      wanted.forEach(({ id }) => funded.add(id));
      notes.warning('FACILITATOR_URL', `${url}: ${why}; while it stays so, no payment is accepted`, facilitator.path);
    };
    const told = { path: facilitator.path, notes, funded, sponsored };
    await ask(url, `GET ${url}`, () => supported(url, wanted, told), unreachable);
  }
  return funded;
}

/**
 * @param {string} url
 * @param {Networks} wanted
 * @param {object} told
 * @param {import('./source.mjs').Path} told.path where the facilitator stands
 * @param {Notes} told.notes
 * @param {Set<unknown>} told.funded gets the networks whose deposits of sessions it may send
 * @param {Set<string>} told.sponsored networks where a route has it pay for an allowance
 */
async function supported(url, wanted, { path, notes, funded, sponsored }) {
  let place = url;
  let { status, text, location } = await get(place);
  const followed = isRedirect(status) && location !== null ? redirectTarget(url, location) : undefined;
  if (followed !== undefined) {
    notes.warning('FACILITATOR_URL', `${url} redirects to ${followed}; name that address`, path);
    place = followed;
    ({ status, text, location } = await get(place));
  }
  if (status !== 200) wanted.forEach(({ id }) => funded.add(id));
  if (isRedirect(status)) {
    notes.error('FACILITATOR_URL', `${place} redirects to ${location}, which is not followed; name the address that answers`, path);
    return `redirects to ${location}`;
  }
  if (status !== 200) {
    notes.warning(
      'FACILITATOR_URL',
      `${place} answers ${status}, not with what it supports; compare the address with its documentation`,
      path,
    );
    return `answers ${status}`;
  }
  /** @type {unknown} */
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    notes.error('FACILITATOR_URL', `${place} is no facilitator: it answers with a page, not with JSON; name the address of one`, path);
    return 'answers with what is no JSON';
  }
  const { kinds, extensions } = /** @type {{kinds?: {scheme?: string, network?: string}[], extensions?: unknown}} */ (said);
  const known = Array.isArray(kinds) ? kinds : [];
  const listed = new Set(known.map(({ network }) => network));
  known.filter(({ scheme }) => scheme === 'batch-settlement').forEach(({ network }) => funded.add(network));
  const missing = wanted.filter(({ id, name }) => !listed.has(id) && !(name !== null && listed.has(name)));
  for (const { id } of missing) {
    notes.warning('FACILITATOR_URL', `does not list ${id} in ${url}; payments there would be refused`, path);
  }
  const lacks = !Array.isArray(extensions) || !extensions.includes(SPONSORING);
  if (lacks && wanted.some(({ id }) => sponsored.has(id))) {
    notes.warning(
      'ROUTES',
      `announce ${SPONSORING} (gas_sponsoring), which ${url} does not list; payers without an allowance are refused there`,
      ['vars', 'ROUTES'],
    );
  }
  return missing.length === 0
    ? `lists ${wanted.map(({ id }) => id).join(', ')}`
    : `does not list ${missing.map(({ id }) => id).join(', ')}`;
}

/**
 * The networks where a route has the facilitator pay for an allowance.
 *
 * @param {Table} vars
 * @param {Networks} networks
 * @returns {Set<string>}
 */
function sponsoredOn(vars, networks) {
  const routes = [vars.ROUTES, vars.PROTECTED_PATTERNS].map(structured).filter(Array.isArray).flat();
  const sponsors = routes.filter((route) => route?.gas_sponsoring === true);
  const isSponsored = (/** @type {Networks[number]} */ { id, name }) =>
    id.startsWith('eip155:') && sponsors.some(({ network }) => [undefined, id, name].includes(network));
  return new Set(networks.filter(isSponsored).map(({ id }) => id));
}

/** @param {number} status */
export function isRedirect(status) {
  return status >= 300 && status < 400;
}

/**
 * @param {string} url
 * @param {RequestInit} [init]
 */
export async function get(url, init = {}) {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(DEADLINE_MS), ...init });
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MOST_BYTES) break;
  }
  return { status: response.status, text, location: response.headers.get('location') };
}
