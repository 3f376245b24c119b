/** A guard, what stands in its place, and the test that notices: its file and the beginning of its name. */
export type Guard = readonly [what: string, file: string, guard: string, broken: string, test: readonly [file: string, name: string]];
