// Sellers without payment code: plain servers that do what the path says, well or badly. The market charges for them.
//
//   /deliver             200 with a result, and what arrived
//   /status/{status}     that status
//   /slow?ms=            begins to answer late
//   /hang                never answers
//   /big?bytes=          JSON of so many bytes [2 MiB]
//   /redirect?to=        sends the request on
//   /text                a body that is no JSON
//   /binary              bytes that are no text
//   /broken              says that it is JSON, and is none
//   /cut                 breaks off in the middle of the body
//   /bare                402 without terms, until the original's `X-Payment` comes: raw JSON text
//
// A second segment of a path is free, so that skills can differ; `ways` has other scripts for paths from now on.

import { serve } from './server.mjs';
import { whole } from './switch.mjs';

/**
 * @typedef {Awaited<ReturnType<typeof startSellers>>} Sellers
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path with its query
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {string} body
 */

/** Starts them. `requests` holds what arrived, oldest first. */
export async function startSellers() {
  /** @type {Request[]} */
  const requests = [];
  /** @type {Map<string, string>} */
  const ways = new Map();

  const { url, stop } = await serve(async (request, response) => {
    try {
      const body = (await whole(request)).toString('utf8');
      const seen = { method: request.method ?? '', path: request.url ?? '/', headers: request.headers, body };
      requests.push(seen);
      const asked = new URL(seen.path, url);
      await act(new URL(ways.get(asked.pathname) ?? seen.path, url), seen, response);
    } catch {
      response.destroy();
    }
  });
  return {
    url,
    requests,
    ways,
    stop,
    /**
     * What arrived at a path.
     *
     * @param {string} path
     */
    at: (path) => requests.filter((request) => new URL(request.path, url).pathname === path),
  };
}

/**
 * @param {URL} url
 * @param {Request} seen
 * @param {import('node:http').ServerResponse} response
 */
async function act({ pathname, searchParams }, seen, response) {
  const [name = '', second = ''] = pathname.slice(1).split('/');
  const json = (/** @type {number} */ status, /** @type {unknown} */ value) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const done = { result: 'skill executed', received: read(seen.body) };
  switch (name) {
    case 'status':
      return json(Number(second), { error: 'the seller says so' });
    case 'slow':
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Number(searchParams.get('ms') ?? 1_000));
        response.once('close', () => {
          clearTimeout(timer);
          resolve(undefined);
        });
      });
      return json(200, done);
    case 'hang':
      return undefined;
    case 'big': {
      const bytes = Number(searchParams.get('bytes') ?? 2 * 1024 * 1024);
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify('x'.repeat(bytes - 2)));
    }
    case 'redirect':
      return response.writeHead(307, { location: searchParams.get('to') ?? '/deliver' }).end();
    case 'text':
      return response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('Rain: ten <b>millimetres</b>');
    case 'binary':
      return response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.from([0xff, 0xfe, 0x00, 0x80]));
    case 'broken':
      return response.writeHead(200, { 'content-type': 'application/json' }).end('{"result":');
    case 'cut':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"result":"sk', () => response.destroy());
      return undefined;
    case 'bare':
      return seen.headers['x-payment'] === undefined ? json(402, { error: 'payment required' }) : json(200, done);
    default:
      return json(200, done);
  }
}

/** @param {string} body */
function read(body) {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
