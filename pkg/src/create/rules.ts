/** The rules of the gate, as `farebox check` applies them: a program of its own beside this one. */

/** What the check knows and other commands ask. */
export type Check = {
  main(args: readonly string[], begin: string): Promise<number>;
  deploy(args: readonly string[], begin: string): Promise<number>;
  upgrade(args: readonly string[], begin: string): Promise<number>;
  judge(vars: Readonly<Record<string, unknown>>): { readonly errors: readonly { readonly variable: string; readonly remedy: string }[] };
  keyed(url: string): string | undefined;
};

/** Loaded when it is needed: it is half a megabyte. */
export async function checkProgram(): Promise<Check> {
  return (await import(new URL('../../check/index.js', import.meta.url).href)) as Check;
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
