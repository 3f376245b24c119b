/** `objectStore(env.BUDGET.get(env.BUDGET.idFromName('agent')))`. */
export function objectStore(stub) {
    return {
        read: async () => {
            const response = await stub.fetch('https://budget/');
            if (!response.ok)
                throw new Error(`the budget's object answers ${response.status}`);
            const { version, record } = (await response.json());
            return { version, record: record ?? undefined };
        },
        replace: async (version, record) => {
            const response = await stub.fetch('https://budget/', { method: 'PUT', body: JSON.stringify({ version, record }) });
            if (response.status === 409)
                return false;
            if (!response.ok)
                throw new Error(`the budget's object answers ${response.status}`);
            return true;
        },
    };
}
/** The class of the object: export it from the Worker and bind it, with SQLite. */
export class Budget {
    #state;
    constructor(state) {
        this.#state = state;
    }
    async fetch(request) {
        const asked = request.method === 'PUT' ? (await request.json()) : undefined;
        // The platform lets nobody else in between the two: reads and writes of one object are waited for.
        const kept = await this.#state.storage.get('budget');
        const version = kept?.version ?? 0;
        if (asked === undefined)
            return Response.json({ version, record: kept?.record ?? null });
        if (asked.version !== version)
            return new Response(null, { status: 409 });
        await this.#state.storage.put('budget', { version: version + 1, record: asked.record });
        return new Response(null, { status: 204 });
    }
}
