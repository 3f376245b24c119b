/** The gate: a Worker's module. Its variables and secrets are in `env`, `LEDGER`, the namespace of {@link Ledger}, and `CHANNEL`, that of {@link Channel}. */
declare const gate: {
  fetch(request: Request, env: Record<string, unknown>, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
  /** Wakes the ledger's objects, so that one whose alarm was lost goes on. */
  scheduled(controller: unknown, env: Record<string, unknown>): Promise<void>;
};
export default gate;

/** The class of the ledger's objects, with SQLite. */
export declare class Ledger {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(command: string, body: Uint8Array | null): Promise<unknown>;
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
}

/** The class of the channels' objects, with SQLite: for routes that sell by session. */
export declare class Channel extends Ledger {
  awaited(command: string, milliseconds: number): Promise<unknown>;
}
