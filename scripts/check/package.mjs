// The check as the npm package has it: its command, and the rules that other commands ask.

export { main } from './command.mjs';
export { judge } from './rules.mjs';
export { keyed } from './slips.mjs';
