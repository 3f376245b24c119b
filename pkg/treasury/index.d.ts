/** The treasury: a Worker's module. Its variables and secrets are in `env`, and `TREASURY`, the namespace of {@link Treasury}. */
declare const treasury: {
  fetch(request: Request, env: Record<string, unknown>, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>;
};
export default treasury;

/** The class of the organizations' objects, with SQLite. */
export declare class Treasury {
  constructor(state: unknown, env: Record<string, unknown>);
  ask(organization: string, command: string): Promise<unknown>;
  alarm(): Promise<void>;
}
