// The check as the npm package has it: its command, those that begin with it, and the rules that other commands ask.

export { main } from './command.mjs';
export { deploy } from './deploy.mjs';
export { unread } from './names.mjs';
export { judge } from './rules.mjs';
export { clientNetwork } from './rules-wasm.mjs';
export { stepBetween } from './shards.mjs';
export { keyed } from './slips.mjs';
export { checkSupported } from './supported.mjs';
export { upgrade } from './upgrade.mjs';
