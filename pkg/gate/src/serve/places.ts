/** Places that strangers share: a network gets another one only while it has fewer than are left. */
import { getHeapStatistics } from 'node:v8';

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

/** How many places there are. */
export type Room = {
  /** Requests that are under way. */
  readonly requests: number;
  /** Connections of clients. */
  readonly connections: number;
};

/** More serve nobody: their answers would wait for the processor. */
const MOST: Room = { requests: 2_000, connections: 4_000 };
/** Memory for a connection: a head that is being read, or one that waits for its answer, both sides of it and the objects around them, bytes. */
const BYTES_EACH = 524_288;

/**
 * The room on this machine. The runtime opens a connection from here, one to the origin and up to two to facilitator and node for a request, and files of
 * its rows: it ends where it may open no more. This process ends where its memory is full.
 */
export function roomHere(): Room {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  // Windows has no such limit, and another system may have none.
  const files = Number(userLimits?.open_files?.soft) || Number.POSITIVE_INFINITY;
  const bytes = getHeapStatistics().heap_size_limit;
  return {
    requests: Math.floor(Math.min(MOST.requests, files / 8, bytes / BYTES_EACH / 2)),
    connections: Math.floor(Math.min(MOST.connections, files / 2, bytes / BYTES_EACH)),
  };
}
