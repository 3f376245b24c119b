/** Requests of an operator at a terminal: to the Worker that they name, with a token of the environment, never of an argument. */
import { Operator, takesTokens } from '../../operator/client.js';
import { Usage } from '../words.js';

/** The Worker of these words. */
export function operatorOf(at: string | undefined): Operator {
  const url = at ?? process.env['FAREBOX_URL'];
  if (url === undefined || url === '')
    throw new Usage("the address of the gate, the treasury or the market is missing: --at URL, or the environment's FAREBOX_URL");
  const token = process.env['FAREBOX_OPERATOR_TOKEN'] ?? '';
  if (token === '')
    throw new Usage(
      'there is no FAREBOX_OPERATOR_TOKEN: set it to its OPERATOR_TOKEN (farebox serve: in secrets.json of --state, farebox dev: in .dev.vars)',
    );
  if (!/^[!-~]+$/.test(token)) throw new Usage('FAREBOX_OPERATOR_TOKEN has a space, a line break or another character that no token has');
  if (!takesTokens(url)) throw new Usage('a token goes over https, or http to this machine: --at https://…');
  return new Operator(token, new URL(url).origin);
}
