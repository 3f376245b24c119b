// A KV namespace for a Worker of a world, kept by the server of `kv.mjs` at the binding `STORE`.

class Namespace {
  /** @param {{fetch: typeof fetch}} store */
  constructor(store) {
    this.store = store;
  }

  /** @param {string} key */
  async get(key) {
    const answer = await this.store.fetch(`http://kv/${encodeURIComponent(key)}`);
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`KV GET failed: ${answer.status}`);
    return answer.text();
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  async put(key, value) {
    const answer = await this.store.fetch(`http://kv/${encodeURIComponent(key)}`, { method: 'PUT', body: value });
    if (!answer.ok) throw new Error(`KV PUT failed: ${answer.status}`);
  }
}

/** @param {{STORE: {fetch: typeof fetch}}} env */
export default function namespace(env) {
  return new Namespace(env.STORE);
}
