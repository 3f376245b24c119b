/** Where the record of what was spent is kept. */
/** A record in this process: caps hold here, and are forgotten with it. */
export function memoryStore() {
    let record;
    let version = 0;
    return {
        read: async () => ({ record, version }),
        replace: async (known, next) => {
            if (known !== version)
                return false;
            [record, version] = [next, version + 1];
            return true;
        },
    };
}
/** Reads, changes and replaces until nobody came between; `change` may throw, then nothing is replaced. */
export async function update(store, change) {
    for (let turn = 0;; turn += 1) {
        const { record, version } = await store.read();
        if (await store.replace(version, change(record)))
            return;
        // Whoever comes between finishes; the wait is spread so that many who meet do not meet again.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(50, 2 + turn)));
    }
}
