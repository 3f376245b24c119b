/** Where the record of what was spent is kept. */

/** A record and what names this very state of it. */
export type Kept = { readonly record: string | undefined; readonly version: unknown };

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
export function memoryStore(): Store {
  let record: string | undefined;
  let version = 0;
  return {
    read: async () => ({ record, version }),
    replace: async (known, next) => {
      if (known !== version) return false;
      [record, version] = [next, version + 1];
      return true;
    },
  };
}

/** Reads, changes and replaces until nobody came between; `change` may throw or give nothing, then nothing is replaced. Whether it was. */
export async function update(store: Store, change: (record: string | undefined) => string | undefined): Promise<boolean> {
  for (let turn = 0; ; turn += 1) {
    const { record, version } = await store.read();
    const next = change(record);
    if (next === undefined) return false;
    if (await store.replace(version, next)) return true;
    // Whoever comes between finishes; the wait is spread so that many who meet do not meet again.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(50, 2 + turn)));
  }
}
