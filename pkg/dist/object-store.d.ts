/** A record in a Durable Object, shared by every isolate that names the same one. */
import type { Store } from './store.js';
/** What is needed of the platform's types, so that nobody has to install them. */
type Stub = {
    fetch(url: string, init?: RequestInit): Promise<Response>;
};
type ObjectState = {
    readonly storage: {
        get<T>(key: string): Promise<T | undefined>;
        put(key: string, value: unknown): Promise<void>;
    };
};
/** `objectStore(env.BUDGET.get(env.BUDGET.idFromName('agent')))`. */
export declare function objectStore(stub: Stub): Store;
/** The class of the object: export it from the Worker and bind it, with SQLite. */
export declare class Budget {
    #private;
    constructor(state: ObjectState);
    fetch(request: Request): Promise<Response>;
}
export {};
