/** Places that strangers share: no network takes the last ones, so whoever asks next finds one. */

/** Counts what is under way. */
export type Places = {
  /** Takes a place, and returns what gives it back; `undefined` if this network has as many as are left. */
  take(network: string): (() => void) | undefined;
};

/** This many places in all: one network has at most half of them, and the next one half of the rest. */
export function placesOf(most: number): Places {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(network) {
      const own = taken.get(network) ?? 0;
      if (own >= most - all) return undefined;
      all += 1;
      taken.set(network, own + 1);
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        all -= 1;
        const left = (taken.get(network) ?? 0) - 1;
        if (left > 0) taken.set(network, left);
        else taken.delete(network);
      };
    },
  };
}

/** How many places there are, with the files that this process and the runtime may each open. */
export type Room = {
  /** Requests that are under way. */
  readonly requests: number;
  /** Connections of clients. */
  readonly connections: number;
};

/** More serve nobody: their answers would wait for the processor. */
const MOST: Room = { requests: 4_000, connections: 16_000 };

/**
 * The room on this machine. The runtime opens a connection from here, one to the origin and up to two to facilitator and node for a request, and it ends
 * where it may open no more.
 */
export function roomHere(): Room {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  const files = Number(userLimits?.open_files?.soft);
  // Windows has no such limit.
  if (!Number.isInteger(files)) return MOST;
  return { requests: Math.min(MOST.requests, Math.floor(files / 4)), connections: Math.min(MOST.connections, Math.floor(files / 2)) };
}
