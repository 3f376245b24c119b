/** The parts of the command line that the package with further commands, `farebox-gate`, shares with it. Both are of one version, and nobody else imports them. */
export { failed } from './cli/remedies.js';
export { asWord, tell, visible } from './cli/terminal.js';
export { EXIT, Later, packedFile, Usage, version } from './cli/words.js';
export { isThisMachine, takesTokens } from './operator/client.js';
