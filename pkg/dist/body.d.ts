export type Body = string | Uint8Array<ArrayBuffer> | Blob | undefined;
/** A body that can be sent again; text and bytes are copied, so that whoever changes them later changes nothing here. */
export declare function bodyOf(body: unknown, headers: Headers): Promise<Body>;
