/** `fetch` that pays: carries out what the compiled part decides, one step after the other. */
import { Exchange } from '#wasm';
import { bodyOf } from './body.js';
import { FareboxError, told } from './error.js';
import { asSigner } from './signer.js';
import { memoryStore, update } from './store.js';
const receipts = new WeakMap();
/** The settlement that came with a response of a wrapped `fetch`. */
export function receiptOf(response) {
    return receipts.get(response);
}
/** The platform's `fetch`, paying. */
export function payingFetch(options) {
    return wrapFetch((input, init) => globalThis.fetch(input, init), options);
}
/** A `fetch` that pays when it is asked to, within the policy, once. */
export function wrapFetch(fetch, options) {
    const signer = asSigner(options.signer);
    const store = options.store ?? memoryStore();
    const policy = JSON.stringify(options.policy ?? {});
    const now = options.now ?? (() => Date.now() / 1000);
    // A policy that cannot be read is told when it is given, not when it is needed.
    told(() => new Exchange(policy, 'GET', 'https://policy.invalid/', `0x${'11'.repeat(20)}`)).free();
    return async (input, init) => {
        const request = await requestOf(input, init);
        const first = await plain(fetch, request);
        if (first.status !== 402)
            return first;
        const url = paidUrl(request, first);
        const opened = told(() => new Exchange(policy, request.method, url, '0x' + '00'.repeat(19) + '01'));
        opened.free();
        const address = await signer.address();
        let exchange = told(() => new Exchange(policy, request.method, url, address));
        if (options.identifier === false)
            exchange = exchange.withoutIdentifier();
        try {
            return await pay({ exchange, fetch, request, url, signer, store, now, first, confirm: options.confirm });
        }
        finally {
            exchange.free();
        }
    };
}
async function pay(payment) {
    const { exchange, request, url, signer, store, now } = payment;
    let response = payment.first;
    let step = await answered(exchange, response, now);
    let signed = false;
    const fail = (error) => {
        const sent = exchange.payment();
        if (sent !== undefined)
            error.payment = JSON.parse(sent);
        error.response = response;
        return error;
    };
    for (;;) {
        switch (step.do) {
            case 'return': {
                if (response === undefined)
                    throw new TypeError('there is no response');
                if (step.receipt !== null)
                    receipts.set(response, step.receipt);
                return response;
            }
            case 'fail':
                throw fail(new FareboxError(step.error));
            case 'reserve': {
                await update(store, (record) => told(() => exchange.reserve(record, now())));
                if (payment.confirm !== undefined)
                    await agree(payment);
                step = JSON.parse(exchange.prepare(now()));
                break;
            }
            case 'sign': {
                let signature;
                try {
                    signature = await signer.sign(step.typedData);
                }
                catch (error) {
                    // Nothing was signed: the wallet said so by giving nothing.
                    if (!signed)
                        await release(payment);
                    throw error instanceof FareboxError ? fail(error) : error;
                }
                step = JSON.parse(exchange.signed(signature, now()));
                signed = true;
                break;
            }
            case 'send': {
                await pause(step.waitMs, request.rest.signal);
                response = await paid(payment, step.headers).catch(() => undefined);
                if (request.rest.signal?.aborted === true && response === undefined) {
                    throw fail(new FareboxError({
                        code: 'aborted',
                        message: 'the request was aborted after the payment was sent',
                        remedy: 'send error.payment again; do not sign a new one for the same request',
                        signed: true,
                    }, request.rest.signal.reason));
                }
                step = response === undefined
                    ? JSON.parse(exchange.lost(now()))
                    : await answered(exchange, response, now);
                break;
            }
        }
        void url;
    }
}
/** Asks the hook; whoever does not say yes has nothing signed and nothing counted. */
async function agree(payment) {
    let yes = false;
    try {
        yes = await payment.confirm?.(JSON.parse(payment.exchange.proposal() ?? '{}'));
    }
    finally {
        if (yes !== true)
            await release(payment);
    }
    if (yes === true)
        return;
    throw new FareboxError({ code: 'declined', message: 'the payment was not confirmed', remedy: 'confirm it, or do without' });
}
async function release({ exchange, store }) {
    await update(store, (record) => told(() => exchange.release(record)));
}
/** Tells the compiled part what came; bodies only of refusals, up to what it reads. */
async function answered(exchange, response, now) {
    let lines = '';
    for (const [name, value] of response.headers)
        lines += `${name}: ${value}\n`;
    const tells = response.status >= 400 && /json/i.test(response.headers.get('content-type') ?? '');
    const body = tells || response.status === 402 ? await beginning(response) : new Uint8Array();
    return JSON.parse(exchange.answered(response.status, lines, body, now()));
}
/** The first 64 KiB of a body that stays readable; a longer one is not looked at. */
async function beginning(response) {
    const pieces = [];
    let length = 0;
    const reader = response.clone().body?.getReader();
    while (reader !== undefined) {
        const { done, value } = await reader.read();
        if (done)
            break;
        pieces.push(value);
        length += value.length;
        if (length > MAX_BODY) {
            await reader.cancel();
            return new Uint8Array();
        }
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
        all.set(piece, at);
        at += piece.length;
    }
    return all;
}
/** The request in a form that can be sent more than once. */
async function requestOf(input, init) {
    const given = input instanceof Request ? input : undefined;
    const url = new URL(given?.url ?? String(input), globalThis.location?.href);
    url.hash = '';
    const headers = new Headers(init?.headers ?? given?.headers);
    if (headers.has('payment-signature') || headers.has('x-payment')) {
        throw new FareboxError({
            code: 'already_paying',
            message: 'the request carries a payment already',
            remedy: 'leave the payment headers to the wrapper, or use plain fetch',
        });
    }
    const method = (init?.method ?? given?.method ?? 'GET').toUpperCase();
    const body = await bodyOf(init?.body ?? (given?.body == null ? undefined : new Uint8Array(await given.clone().arrayBuffer())), headers);
    const { body: _body, headers: _headers, method: _method, ...rest } = init ?? {};
    const signal = init?.signal ?? given?.signal;
    return { method, url: url.href, headers, body, rest: { ...rest, ...(signal == null ? {} : { signal }) } };
}
async function plain(fetch, request) {
    const { url, method, headers, body, rest } = request;
    try {
        return await fetch(url, { ...rest, method, headers, ...(body === undefined ? {} : { body }) });
    }
    catch (error) {
        const cause = error?.cause;
        if (cause?.code !== 'UND_ERR_HEADERS_OVERFLOW')
            throw error;
        throw new FareboxError({
            code: 'malformed_challenge',
            message: 'the header of the answer is longer than this platform reads',
            remedy: 'tell the server\'s operator; nothing was signed',
        }, error);
    }
}
/** The same request with the payment; a redirect is an answer, so that no payment goes where it was not asked for. */
function paid({ fetch, request, url }, payment) {
    const headers = new Headers(request.headers);
    for (const [name, value] of payment)
        headers.set(name, value);
    const { body, method, rest } = request;
    return fetch(url, { ...rest, method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) });
}
/** Where the 402 came from: the place that was asked, or one of the same origin that it redirected to. */
function paidUrl(request, response) {
    if (!response.redirected || response.url === '')
        return request.url;
    const [asked, came] = [new URL(request.url), new URL(response.url)];
    if (asked.origin === came.origin && request.method === 'GET')
        return came.href;
    throw new FareboxError({
        code: 'redirected',
        message: `the request was redirected to ${came.origin}, which asks for payment`,
        remedy: 'ask for the final address yourself if you trust it',
    });
}
async function pause(milliseconds, signal) {
    if (milliseconds === 0 || signal?.aborted === true)
        return;
    await new Promise((resolve) => {
        const timer = setTimeout(done, milliseconds);
        signal?.addEventListener('abort', done, { once: true });
        function done() {
            clearTimeout(timer);
            signal?.removeEventListener('abort', done);
            resolve();
        }
    });
}
/** Most of a refusal that is read, bytes. */
const MAX_BODY = 64 * 1024;
