/** There is nothing to check: wrong usage, or a file that cannot be read. */
export class Unusable extends Error {}
