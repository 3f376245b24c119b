// The parts of a world: started one after another, and stopped in the other order.

/**
 * @typedef {{stop(): Promise<unknown>}} Part
 * @returns {{keep: <T extends Part>(part: T) => T, stop: () => Promise<void>}}
 */
export function parts() {
  /** @type {Part[]} */
  const started = [];
  return {
    keep: (part) => {
      started.push(part);
      return part;
    },
    stop: async () => {
      for (const part of started.splice(0).reverse()) await part.stop();
    },
  };
}
