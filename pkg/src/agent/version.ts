/** Versions: that of the contract, which a control plane compares, and that of this package. */

/** The version of the contract's client. */
export const sdkClientVersion: string = '0.1.0-alpha.22';
/** The header that carries it. */
export const sdkClientVersionHeaderName = 'x-402flow-sdk-version';
/** The version of this package. */
export const fareboxVersion = '0.1.0';
