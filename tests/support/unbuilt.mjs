// Loaded before a program, it lets that one import nothing of the package as it is built: a clone does not have it.

import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const BUILT = /\/pkg\/(?:dist|[a-z-]*wasm)\//;

// Node loads this file twice: in the main thread, where it registers itself, and as the hooks' thread.
if (isMainThread) register(import.meta.url);

/** @type {import('node:module').ResolveHook} */
export async function resolve(name, context, next) {
  if (BUILT.test(new URL(name, context.parentURL ?? 'file:///').pathname))
    throw new Error(`${context.parentURL} imports ${name}, which is not built`);
  return next(name, context);
}
