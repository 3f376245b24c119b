// A client that counts: sends requests over kept connections and notes time to the head, the first byte and the end.

import { Agent, request as open } from 'node:http';

/**
 * @typedef {object} Shot one request to send, and what has to come back
 * @property {string} path
 * @property {Record<string, string>} headers
 * @property {string} [body] makes it a POST
 */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {string} text the first 4 KiB of the body
 * @property {number} bytes length of the body
 * @property {number} firstByteMs from sending to the first byte of the body
 * @property {number} totalMs from sending to the last byte
 */

/**
 * An address of a network for tests, another one for each number below 131,072. Spec: RFC 2544.
 *
 * @param {number} number
 */
export function networkOf(number) {
  return `198.${18 + ((number >> 16) % 2)}.${(number >> 8) & 255}.${number & 255}`;
}

/** One client with its connections. */
export class Client {
  #name;
  #url;
  #agent = connections();
  /** When the last answer came. */
  #busy = 0;

  /**
   * @param {string} name of the one that answers
   * @param {string} url
   */
  constructor(name, url) {
    this.#name = name;
    this.#url = url;
  }

  /**
   * Sends one request.
   *
   * @param {Shot} shot
   * @returns {Promise<Answer>}
   */
  send({ path, headers, body }) {
    return new Promise((resolve, reject) => {
      const start = performance.now();
      const method = body === undefined ? 'GET' : 'POST';
      const request = open(
        this.#url + path,
        { agent: this.#agent, method, headers: { accept: 'application/json', ...headers } },
        (response) => {
          let [text, bytes, firstByteMs] = ['', 0, 0];
          response.on('data', (/** @type {Buffer} */ chunk) => {
            if (bytes === 0) firstByteMs = performance.now() - start;
            if (bytes < TEXT_BYTES) text += chunk.toString('latin1', 0, TEXT_BYTES);
            bytes += chunk.length;
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              bytes,
              firstByteMs,
              totalMs: performance.now() - start,
            }),
          );
        },
      );
      request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`no answer to ${path} of ${this.#name} within ${ANSWER_MS} ms`)));
      request.on('error', reject);
      request.end(body);
    });
  }

  /**
   * Sends many, so many at once; the answers come in the order of the shots.
   *
   * @param {Shot[]} shots
   * @param {number} atOnce
   * @returns {Promise<Answer[]>}
   */
  async all(shots, atOnce) {
    // The runtime hangs up on connections that have been idle for five seconds.
    if (performance.now() - this.#busy > IDLE_MS) {
      this.#agent.destroy();
      this.#agent = connections();
    }
    /** @type {Answer[]} */
    const answers = [];
    let next = 0;
    const one = async () => {
      for (let index = next++; index < shots.length; index = next++) {
        const shot = shots[index];
        if (shot !== undefined) answers[index] = await this.send(shot);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    this.#busy = performance.now();
    return answers;
  }

  close() {
    this.#agent.destroy();
  }
}

function connections() {
  return new Agent({ keepAlive: true, maxSockets: 64 });
}

const IDLE_MS = 2_000;
const TEXT_BYTES = 4096;
const ANSWER_MS = 20_000;
