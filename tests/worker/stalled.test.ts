/** A reader who stops, so that the origin gives up: what they have of a long answer is not given back. */
import assert from 'node:assert/strict';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { rowsOf } from './support/operator.ts';
import { eventually, MODES, openWorld, payFor, type World } from './support/world.ts';

/** More than all buffers on the way hold. */
const BYTES = 150_000_000;
const PIECE = Buffer.alloc(1_000_000, 'film');
/** The origin gives up after this, and the reader stops for longer than the gate thinks slow. */
const [PATIENCE_MS, STOP_MS] = [3_000, 12_000];

let world: World;
let films: Server;
before(async () => {
  films = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': BYTES });
    response.on('error', () => {});
    const write = (left: number): void => {
      if (left === 0) return void response.end();
      if (response.write(PIECE)) return void setImmediate(write, left - PIECE.length);
      const gives = setTimeout(() => response.destroy(), PATIENCE_MS);
      response.once('drain', () => {
        clearTimeout(gives);
        write(left - PIECE.length);
      });
    };
    write(BYTES);
  });
  await new Promise<void>((resolve) => films.listen(0, '127.0.0.1', resolve));
  const terms = { price: '$0.01', max_timeout_secs: 60, origin_timeout_secs: 10 };
  const routes = MODES.map((settle) => ({ path: `/${settle}/*`, settle, ...terms }));
  world = await openWorld({ routes, vars: { ORIGIN_URL: `http://127.0.0.1:${(films.address() as AddressInfo).port}` } });
});
after(async () => {
  await world?.stop();
  films?.closeAllConnections();
  films?.close();
});

for (const mode of MODES) {
  //
  test(`a reader who has the origin give up has been served (${mode})`, { timeout: 120_000 }, async () => {
    const payment = await payFor(world, `/${mode}/film`);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${world.gate.url}/${mode}/film`, { headers: { [payment.row[0]]: payment.row[1] } }, resolve).on('error', reject);
    });
    assert.equal(answer.statusCode, 200);
    let bytes = 0;
    const ended = new Promise<void>((resolve) => {
      answer.on('close', resolve).on('error', () => {});
    });
    answer.on('data', (piece: Buffer) => {
      const before = bytes;
      bytes += piece.length;
      if (before > BYTES / 2 || bytes <= BYTES / 2) return;
      answer.pause();
      void pause(STOP_MS).then(() => answer.resume());
    });
    await ended;
    assert.ok(bytes > BYTES / 2 && bytes < BYTES, `${bytes} bytes came`);
    await eventually('it is over', async () => (await rowsOf(world, payment.payer.toLowerCase()))[0]?.['state'] === 'delivered');
  });
}
