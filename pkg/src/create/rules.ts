/** The programs beside this one: the rules of the gate, as `farebox check` applies them, and the one that runs a project here. */

/** What the check knows and other commands ask. */
export type Check = {
  main(args: readonly string[], begin: string): Promise<number>;
  deploy(args: readonly string[], begin: string): Promise<number>;
  upgrade(args: readonly string[], program: { readonly begin: string; readonly version: string }): Promise<number>;
  judge(vars: Readonly<Record<string, unknown>>): { readonly errors: readonly { readonly variable: string; readonly remedy: string }[] };
  keyed(url: string): string | undefined;
};

/** Loaded when it is needed: it is half a megabyte. */
export async function checkProgram(): Promise<Check> {
  return (await import(new URL('../../check/index.js', import.meta.url).href)) as Check;
}

/** Runs a project on this machine: a program of its own too, because of what it needs of the project. */
export async function localProgram(): Promise<{ dev(args: readonly string[], habits: { readonly begin: string }): Promise<number> }> {
  return (await import(new URL('../../local/index.js', import.meta.url).href)) as Awaited<ReturnType<typeof localProgram>>;
}

/** What the gate would refuse of these variables, beside the names of what is bound. */
export async function judged(
  vars: Readonly<Record<string, unknown>>,
  bound: readonly string[],
): Promise<ReturnType<Check['judge']>['errors']> {
  const { judge } = await checkProgram();
  const secrets = { GATE_SECRET: 'x'.repeat(64), LEDGER_SALT: 'x'.repeat(32) };
  const { errors } = judge({ ...secrets, ...vars, bindings: [...bound, 'CHANNEL', 'LEDGER', 'RATE_LIMITER'].sort() });
  return errors.filter(({ remedy }) => !/`wrangler secret put /.test(remedy));
}

/** How a facilitator that takes no request without a key wants to be asked. */
export async function keyed(url: string): Promise<string | undefined> {
  return (await checkProgram()).keyed(url);
}
