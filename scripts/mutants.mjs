// Guards of the Worker's JavaScript, and how to break each: in the source text while the drill is
// bundled, so that none of it is deployed. Those of the compiled part are in crates/base/src/mutant/.

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} file in src/worker or src/platform
 * @property {string} guard stands there once
 * @property {(planted: string) => string} broken what stands there instead; `planted` is the condition under which it is broken
 */

/** @type {readonly Mutant[]} */
export const MUTANTS = [
  {
    // A truncated body counts as complete.
    name: 'PartIsWhole',
    file: 'body.mjs',
    guard: "return { kind: 'broken', length, source: null };",
    broken: (planted) => `if (!(${planted})) return { kind: 'broken', length, source: null };`,
  },
  {
    // A broken upload ends like any other.
    name: 'BreakIsEnd',
    file: 'origin.mjs',
    guard: 'broken: () => breaks.abort()',
    broken: (planted) => `broken: () => (${planted} ? writer.close() : breaks.abort())`,
  },
  {
    // An upload that its origin does not read ends the answer, too.
    name: 'StalledUploadsEndAnswers',
    file: 'origin.mjs',
    guard: 'stalled: () => isAnswered || breaks.abort()',
    broken: (planted) => `stalled: () => (!(${planted}) && isAnswered) || breaks.abort()`,
  },
  {
    // An answer without a length is broken off by its origin, though the end of its upload is its client's.
    name: 'SilenceIsTheOrigins',
    file: 'origin.mjs',
    guard: "if (promised === undefined) return 'client_left';",
    broken: (planted) => `if (promised === undefined && !(${planted})) return 'client_left';`,
  },
  {
    // An upload that was slow on the whole counts by its end alone.
    name: 'EndsAreTheWhole',
    file: 'origin.mjs',
    guard: '|| sent?.given.isSlowOnTheWhole(GIVEN_BYTES, WAITED_MS)',
    broken: (planted) => `|| (!(${planted}) && sent?.given.isSlowOnTheWhole(GIVEN_BYTES, WAITED_MS))`,
  },
  {
    // All of an answer is read while an upload in chunks goes on.
    name: 'AnswersEndUploads',
    file: 'origin.mjs',
    guard: 'if (left === 1) await awaited(sent);',
    broken: (planted) => `if (left === 1 && !(${planted})) await awaited(sent);`,
  },
  {
    // An origin of which something comes was silent until then, however short the wait for it was.
    name: 'StallsAreSilence',
    file: 'flow.mjs',
    guard: 'now - since < SILENT_MS) return;\n    this.paidUntil += Math.max(0, now - Math.max(this.paidUntil, since));',
    broken: (planted) =>
      `now - since < (${planted} ? 0 : SILENT_MS)) return;\n    this.paidUntil += Math.max(0, now - (${planted} ? this.paidUntil : Math.max(this.paidUntil, since)));`,
  },
  {
    // A reader who takes nothing has left after seconds.
    name: 'ReadersAreHurried',
    file: 'origin.mjs',
    guard: 'new Waits(TAKING_MS)',
    broken: (planted) => `new Waits(${planted} ? 1_500 : TAKING_MS)`,
  },
  {
    // An invalid answer throws.
    name: 'AnswerThrows',
    file: 'edge.mjs',
    guard: 'headers: headersOf(lines) });\n  } catch {',
    broken: (planted) => `headers: headersOf(lines) });\n  } catch (error) {\n    if (${planted}) throw error;`,
  },
  {
    // An exception in a continuing future goes unnoticed.
    name: 'LossIsUnnoticed',
    file: 'microtask.mjs',
    guard: '/** @type {any} */ (globalThis).__worker_init_state.criticalError = true;',
    broken: (planted) => `if (!(${planted})) globalThis.__worker_init_state.criticalError = true;`,
  },
];
