import { LANES } from './stranger.ts';

/** The middle time of a look, milliseconds, while strangers ask for something else without a pause. */
export async function besideStrangers(look: () => Promise<unknown>, ask: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  const strangers = Array.from({ length: LANES }, async () => {
    while (!isOver) await ask();
  });
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const times: number[] = [];
    for (let turn = 0; turn < 15; turn += 1) {
      const began = performance.now();
      await look();
      times.push(performance.now() - began);
    }
    return times.sort((one, other) => one - other)[7] ?? 0;
  } finally {
    isOver = true;
    await Promise.all(strangers);
  }
}
