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
      /** @type {unknown[]} */
      const failures = [];
      // One that cannot stop keeps no other one running.
      for (const part of started.splice(0).reverse()) {
        try {
          await part.stop();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
