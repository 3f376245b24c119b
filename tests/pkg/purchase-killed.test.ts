// Processes that are killed at any moment of a purchase: the next one goes on with it, and what a merchant is ever shown has one nonce.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { fileStore } from '../../pkg/dist/file-store.js';
import { payingFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { randomOf } from './random.ts';
import { ask, GOODS, OFFER, PAYER_KEY, paymentOf, serve, settlement, sharedShop, spentIn, terms } from './shop.ts';
import { temporaryFolder } from './tarball.ts';

const shop = sharedShop();
const folder = temporaryFolder();
after(() => folder.remove());

const KILLS = 12;
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
const moduleOf = (name: string): string => JSON.stringify(new URL(`../../pkg/dist/${name}.js`, import.meta.url).href);

/** A process that makes the request until it is killed; it says when it begins. */
function buyer(path: string, url: string, key: string | undefined) {
  const program = `
    import { payingFetch } from ${moduleOf('index')};
    import { resume } from ${moduleOf('resume')};
    import { fileStore } from ${moduleOf('file-store')};
    const fetch = payingFetch({ signer: '${PAYER_KEY}', policy: { deadlineSecs: 5 }, store: fileStore(${JSON.stringify(path)}), resume });
    process.stdout.write('begins');
    for (;;) await fetch(${JSON.stringify(url)}, { headers: ${JSON.stringify(key === undefined ? {} : { 'idempotency-key': key })} }).then((it) => it.text()).catch(() => undefined);
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

for (const key of [undefined, 'order 7']) {
  test(`killed ${KILLS} times at random, ${key === undefined ? 'without' : 'with'} a key: one nonce, then one delivery`, {
    timeout: 120_000,
  }, async () => {
    const random = randomOf(key === undefined ? 7 : 8);
    const [path, url] = [join(folder.path, `budget-${key ?? 'none'}`), `${shop.url}/report-${key === undefined ? 'plain' : 'keyed'}`];
    // It takes each payment and answers as it likes; terms change as well.
    shop.answers = (request, response) => {
      const offer = { ...OFFER, amount: random.pick(['10000', '11000', '12000']) };
      if (paymentOf(request) === undefined) return ask(response, terms([offer]));
      const answers = [
        () => void response.writeHead(504).end(),
        () => void response.destroy(),
        () => ask(response, terms([offer])),
        () => undefined,
      ];
      return random.pick(answers)();
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const child = buyer(path, url, key);
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      // From its first request on, so that a busy machine is killed as far as a quick one.
      const { length } = shop.requests;
      while (shop.requests.length === length) await pause(2);
      await pause(random.below(400));
      child.kill('SIGKILL');
      await ended;
    }
    const nonces = (): Set<string> =>
      new Set(
        shop
          .payments()
          .map(
            (it) =>
              (JSON.parse(Buffer.from(it, 'base64').toString()) as { payload: { authorization: { nonce: string } } }).payload.authorization
                .nonce,
          ),
      );
    assert.equal(nonces().size, 1, `of ${shop.payments().length} payments`);
    shop.answers = (request, response) => {
      const payment = paymentOf(request);
      if (payment === undefined) return ask(response);
      const {
        payload: {
          authorization: { value },
        },
      } = JSON.parse(Buffer.from(payment, 'base64').toString()) as { payload: { authorization: { value: string } } };
      return serve(response, settlement({ amount: value }));
    };
    const store = fileStore(path);
    const fetch = payingFetch({ signer: PAYER_KEY, store, resume });
    assert.equal(await (await fetch(url, { headers: key === undefined ? {} : { 'idempotency-key': key } })).text(), GOODS);
    assert.equal(nonces().size, 1);
    // What was counted and never sent stays counted; what was sent is counted once.
    const { entries } = await spentIn(store);
    assert.ok(entries.length >= 1 && entries.length <= (key === undefined ? KILLS + 1 : 1), String(entries.length));
  });
}
