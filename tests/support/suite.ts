/** Worlds that the tests of one suite share. */
import { after, before } from 'node:test';

/** How long a world may take to start, on a machine that compiles beside it. */
const START_MS = 120_000;

/** A world that starts before the tests of a suite, or of a file, and stops after them. Nothing of it can be asked for before. */
export function sharedWorld<W extends { stop(): unknown }>(start: () => Promise<W>): W {
  let started: W | undefined;
  before(
    async () => {
      started = await start();
    },
    { timeout: START_MS },
  );
  after(() => started?.stop());
  const world = (): W => {
    if (started === undefined) throw new Error('the world has not started yet');
    return started;
  };
  return new Proxy({} as W, {
    get(_, name) {
      const value = Reflect.get(world(), name, world());
      return typeof value === 'function' ? value.bind(world()) : value;
    },
    set: (_, name, value) => Reflect.set(world(), name, value, world()),
  });
}
