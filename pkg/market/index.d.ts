/** The market of skills: a Worker's module. Its variables and secrets are in `env`, `SKILLS`, the namespace of {@link Skills}, `EXCHANGE`, that of {@link Exchange}, and `ARCHIVE`, an R2 bucket for old invocations, if there is one. */
declare const market: {
  fetch(request: Request, env: Record<string, unknown>, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
  /** Wakes the object, so that one whose alarm was lost goes on. */
  scheduled(controller: unknown, env: Record<string, unknown>): Promise<void>;
};
export default market;

/** The class of the one object, with SQLite. */
export declare class Skills {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(name: string, command: string): Promise<unknown>;
  alarm(): Promise<void>;
}

/** The class of the objects of the compute exchange, one for each network profile, with SQLite. */
export declare class Exchange {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(profile: string, command: string): Promise<unknown>;
  alarm(): Promise<void>;
}
