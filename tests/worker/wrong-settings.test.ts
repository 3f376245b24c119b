/** A wrong setting closes the gate: it answers 503 to all, calls nobody, and charges nobody. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Case, settingsOf, TABLE } from '../configuration/table.ts';
import { Miniflare, type WorkerOptions } from '../support/miniflare.ts';
import { Facilitator } from './support/facilitator.ts';
import { Origin } from './support/origin.ts';
import { freshPayer, type Payment, pay, requiredBy } from './support/payer.ts';
import { type Answer, Connection, type RawRequest } from './support/raw.ts';
import { eventually, expectPaid, expectProblem, jsonOf } from './support/world.ts';

/** How many gates run in one process. */
const AT_ONCE = 30;

const BUILD = resolve(process.env['FAREBOX_BUILD'] ?? 'build');
const MODULES = [
  { type: 'ESModule' as const, path: join(BUILD, 'index.js'), contents: readFileSync(join(BUILD, 'index.js'), 'utf8') },
  { type: 'CompiledWasm' as const, path: join(BUILD, 'index_bg.wasm'), contents: readFileSync(join(BUILD, 'index_bg.wasm')) },
];

async function ask(url: string, target: string, headers: RawRequest['headers'] = []): Promise<Answer> {
  const connection = await Connection.open(url);
  try {
    return await connection.send({ method: 'GET', target, headers });
  } finally {
    connection.close();
  }
}

/** The first case of each variable and of each member of a route; what is wrong with it makes no difference here. */
const SAMPLE = TABLE.cases.filter((one, index) => TABLE.cases.findIndex((other) => other.variable === one.variable) === index);

for (let first = 0; first < SAMPLE.length; first += AT_ONCE) {
  const cases = SAMPLE.slice(first, first + AT_ONCE);
  describe(`wrong settings from ${first}`, () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-wrong-'));
    let facilitator: Facilitator;
    let origin: Origin;
    let gates: Miniflare;
    let payment: Payment;
    let printed = '';

    const gate = (name: string, one: Partial<Case>): WorkerOptions => {
      const { vars, secrets } = settingsOf({ ...one, set: { FACILITATOR_URL: facilitator.url, ORIGIN_URL: origin.url, ...one.set } });
      return {
        name,
        modulesRoot: BUILD,
        modules: MODULES,
        compatibilityDate: '2026-04-01',
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
        durableObjects: { LEDGER: { className: 'Ledger', useSQLite: true } },
        bindings: { ...vars, ...secrets } as Record<string, never>,
      };
    };
    const urlOf = async (name: string): Promise<string> => (await gates.unsafeGetDirectURL(name)).origin;

    before(async () => {
      [facilitator, origin] = await Promise.all([Facilitator.start(), Origin.start()]);
      gates = new Miniflare({
        cf: false,
        host: '127.0.0.1',
        port: 0,
        defaultPersistRoot: persist,
        handleRuntimeStdio: (...streams) => {
          for (const stream of streams)
            stream.on('data', (piece: Buffer) => {
              printed += piece.toString('utf8');
            });
        },
        workers: [gate('good', {}), ...cases.map((one, index) => gate(`wrong-${index}`, one))],
      });
      await gates.ready;
      payment = await pay(freshPayer(), requiredBy(await ask(await urlOf('good'), '/good')));
    });
    after(async () => {
      await gates?.dispose();
      await Promise.all([facilitator?.stop(), origin?.stop()]);
      rmSync(persist, { recursive: true, force: true });
    });

    for (const [index, one] of cases.entries()) {
      //
      it(`${one.name} closes the gate`, async () => {
        const url = await urlOf(`wrong-${index}`);
        const closed = { status: 503, code: 'not_configured', retryAfter: 60 };
        expectProblem(await ask(url, '/good'), closed);
        expectProblem(await ask(url, '/good', [payment.row]), closed);
        expectProblem(await ask(url, '/free'), closed);
        const health = await ask(url, '/_farebox/health');
        assert.deepEqual([health.status, jsonOf(health)], [503, { ok: false }]);
      });
    }

    it('nobody was called, and the payment that all of them refused still buys what it was signed for', async () => {
      assert.deepEqual([facilitator.calls.length, origin.calls.length], [0, 0]);
      const answer = await ask(await urlOf('good'), '/good', [payment.row]);
      expectPaid(answer, payment);
      assert.equal(facilitator.of('settle', payment.payer).length, 1);
    });

    it('the log names each variable', async () => {
      for (const variable of new Set(cases.map((one) => one.variable))) {
        const wanted = cases.filter((one) => one.variable === variable).length;
        await eventually(
          `${variable} ${wanted} times`,
          () => printed.split(`farebox is not configured: ${variable}: `).length - 1 >= wanted,
        );
      }
    });
  });
}
