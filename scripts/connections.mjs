// Ends a connection that waits before workerd does. workerd closes one after 5 s without a request,
// and `fetch` keeps it for 4 s by timers that tick once a second: a request that is written just as
// workerd closes fails, and is not repeated.

import { Agent, setGlobalDispatcher } from 'undici';

/** Below a second its timer is exact. */
const IDLE_MS = 500;

setGlobalDispatcher(new Agent({ keepAliveTimeout: IDLE_MS }));
