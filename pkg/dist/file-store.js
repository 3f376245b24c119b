/** A record in a folder, shared by every process of the machine that names the same one; survives kill -9. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
/**
 * Each state of the record is a file of its own, `budget-<n>.json`, complete before it has that name. A link that exists
 * cannot be made twice, so of two who replace the same state one loses, whenever either is killed; there is no lock.
 */
export function fileStore(folder) {
    const nameOf = (n) => join(folder, `budget-${n}.json`);
    const numbers = async () => {
        const found = (await readdir(folder)).map((name) => /^budget-(\d{1,15})\.json$/.exec(name)?.[1]);
        return found.filter((n) => n !== undefined).map(Number).sort((a, b) => a - b);
    };
    const latest = async () => {
        for (;;) {
            const n = (await numbers()).at(-1);
            if (n === undefined)
                return { n: 0, state: undefined };
            try {
                return { n, state: JSON.parse(await readFile(nameOf(n), 'utf8')) };
            }
            catch (error) {
                // Replaced and removed meanwhile.
                if (error.code !== 'ENOENT')
                    throw error;
            }
        }
    };
    return {
        read: async () => {
            await mkdir(folder, { recursive: true, mode: 0o700 });
            const { n, state } = await latest();
            return { record: state?.record, version: { n, ids: state?.ids ?? [] } };
        },
        replace: async (version, record) => {
            const { n, ids } = version;
            const id = randomBytes(12).toString('hex');
            const draft = join(folder, `draft-${process.pid}-${id}`);
            await write(draft, { ids: [...ids, id].slice(-ANCESTORS), record });
            const mine = nameOf(n + 1);
            try {
                await link(draft, mine);
            }
            catch (error) {
                if (error.code === 'EEXIST')
                    return false;
                throw error;
            }
            finally {
                await unlink(draft);
            }
            // This number may have been taken and removed long ago, for whoever was asleep: then the latest state, which is
            // never removed, does not descend from this one.
            const now = await latest();
            if (now.n !== n + 1 && !(now.state?.ids.includes(id) ?? false)) {
                await remove(mine);
                return false;
            }
            const old = (await numbers()).filter((number) => number < now.n - KEPT);
            await Promise.all(old.map((number) => remove(nameOf(number))));
            return true;
        },
    };
}
/** Writes a file to the disk, whole. */
async function write(path, state) {
    const file = await open(path, 'wx', 0o600);
    try {
        await file.writeFile(JSON.stringify(state));
        await file.sync();
    }
    finally {
        await file.close();
    }
}
async function remove(path) {
    // Somebody else removed it: just as well.
    await unlink(path).catch(() => undefined);
}
/** Earlier states that stay for those who are reading them. */
const KEPT = 8;
/** States that are named as having gone before; whoever sleeps through more counts a payment twice, never not at all. */
const ANCESTORS = 64;
