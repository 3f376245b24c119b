/** Miniflare, required: to import it takes twice as long, and each file of tests is a process. */
import { createRequire } from 'node:module';

import type * as Whole from 'miniflare';

import '../../scripts/connections.mjs';

export type { MiniflareOptions, WorkerOptions } from 'miniflare';

export const { Log, LogLevel, Miniflare } = createRequire(import.meta.url)('miniflare') as typeof Whole;
/** A running one. */
export type Miniflare = Whole.Miniflare;
