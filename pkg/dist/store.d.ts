/** Where the record of what was spent is kept. */
/** A record and what names this very state of it. */
export type Kept = {
    readonly record: string | undefined;
    readonly version: unknown;
};
/**
 * Keeps one record. `replace` puts a new one in its place only if nobody else did since `version` was read, in one
 * step that survives a crash of this process; everything else is built on that.
 */
export type Store = {
    read(): Promise<Kept>;
    /** Whether it was replaced. */
    replace(version: unknown, record: string): Promise<boolean>;
};
/** A record in this process: caps hold here, and are forgotten with it. */
export declare function memoryStore(): Store;
/** Reads, changes and replaces until nobody came between; `change` may throw, then nothing is replaced. */
export declare function update(store: Store, change: (record: string | undefined) => string): Promise<void>;
