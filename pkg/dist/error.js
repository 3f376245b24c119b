/** What went wrong, in the words that the compiled part or this package gives it. */
/** The one class of errors: a stable `code`, a sentence, and what to do. */
export class FareboxError extends Error {
    name = 'FareboxError';
    code;
    remedy;
    /** Whether a payment was signed: then the budget counts it as spent. */
    signed;
    /** The payment, once it was signed. */
    payment;
    /** What the server answered last, if the body is still there. */
    response;
    constructor(told, cause) {
        super(told.message, cause === undefined ? undefined : { cause });
        this.code = told.code;
        this.remedy = told.remedy;
        this.signed = told.signed ?? false;
    }
}
/** Runs a call into the compiled part; what it throws is JSON text. */
export function told(call) {
    try {
        return call();
    }
    catch (error) {
        if (typeof error !== 'string')
            throw error;
        throw new FareboxError(JSON.parse(error));
    }
}
