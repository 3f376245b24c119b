// What the kernel says about a process: processor time from the scheduler's accounting, and memory.

import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processor time of a process, all threads together, those that have ended as well.
 */
export class Processor {
  /** @type {Map<string, number>} */
  #threads = new Map();
  #pid;

  /**
   * @param {number} pid
   */
  constructor(pid) {
    this.#pid = pid;
  }

  /** @returns {number} nanoseconds since the process began, as far as they were seen */
  nanoseconds() {
    for (const thread of readdirSync(`/proc/${this.#pid}/task`)) {
      try {
        const [spent] = readFileSync(`/proc/${this.#pid}/task/${thread}/schedstat`, 'utf8').split(' ');
        this.#threads.set(thread, Number(spent));
      } catch {
        // The thread has ended since the listing; its last known time counts.
      }
    }
    let sum = 0;
    for (const spent of this.#threads.values()) sum += spent;
    return sum;
  }

  /** @returns {number} bytes of memory in use now */
  residentBytes() {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024;
  }
}
