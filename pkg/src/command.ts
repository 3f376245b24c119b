/** The parts of the command line that the package with further commands, `farebox-gate`, shares with it. Both are of one version, and nobody else imports them. */
export { operatorOf } from './cli/operate/client.js';
export { failed } from './cli/remedies.js';
export { asWord, tell, visible } from './cli/terminal.js';
export { EXIT, Later, packedFile, Usage, version } from './cli/words.js';
export { isObject, type Members, membersOf } from './members.js';
export { isThisMachine, Operator, Refused, takesTokens, textOf, Unreadable } from './operator/client.js';
