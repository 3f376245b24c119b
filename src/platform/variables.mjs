// What the platform hands a Worker: variables and secrets, and bindings to other things.

/**
 * Whether this is a binding of the platform: everything that is not a variable.
 *
 * @param {unknown} value
 */
export function isBinding(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype;
}

/**
 * Variables and secrets as one JSON object, and the names of the platform's bindings as its member
 * `bindings`.
 *
 * @param {Record<string, unknown>} env
 */
export function variablesOf(env) {
  const all = Object.entries(env);
  const bindings = all
    .filter(([, value]) => isBinding(value))
    .map(([name]) => name)
    .sort();
  return JSON.stringify({ ...Object.fromEntries(all.filter(([, value]) => !isBinding(value))), bindings });
}
