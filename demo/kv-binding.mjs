// A KV namespace for a Worker of a world, kept by the server of `kv.mjs` at the binding `STORE`.

class Namespace {
  /** @param {{fetch: typeof fetch}} store */
  constructor(store) {
    this.store = store;
  }

  /** @param {string} key */
  async get(key) {
    return (await this.getWithMetadata(key)).value;
  }

  /** @param {string} key */
  async getWithMetadata(key) {
    const answer = await this.store.fetch(`http://kv/${encodeURIComponent(key)}`);
    if (answer.status === 404) return { value: null, metadata: null };
    if (!answer.ok) throw new Error(`KV GET failed: ${answer.status}`);
    return { value: await answer.text(), metadata: JSON.parse(answer.headers.get('kv-metadata') ?? 'null') };
  }

  /**
   * @param {string} key
   * @param {string} value
   * @param {{metadata?: unknown}} [options]
   */
  async put(key, value, { metadata = null } = {}) {
    const headers = { 'kv-metadata': JSON.stringify(metadata) };
    const answer = await this.store.fetch(`http://kv/${encodeURIComponent(key)}`, { method: 'PUT', headers, body: value });
    if (!answer.ok) throw new Error(`KV PUT failed: ${answer.status}`);
  }
}

/** @param {{STORE: {fetch: typeof fetch}}} env */
export default function namespace(env) {
  return new Namespace(env.STORE);
}
