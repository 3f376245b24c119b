/** Money of this machine alone, for `--local`: a chain and a facilitator in a process of their own, which ends with this one. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { Usage } from 'farebox/command';

/** Where it is, and whose it is. */
export type Money = {
  readonly facilitator: string;
  readonly rpc: string;
  /** The key of an account that has it. */
  readonly key: string;
  /** An account that may be paid, for who names none. */
  readonly payee: string;
  stop(): void;
};

/** Starts it for a gate with these routes, which are JSON. */
export async function startMoney(routes: string): Promise<Money> {
  const program = fileURLToPath(new URL('../../local/money.js', import.meta.url));
  // A group of its own: Ctrl-C reaches the gate alone, whose requests under way still need the money.
  const child = spawn(process.execPath, [program, routes], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.includes('\n')) resolve(text);
    });
    child.once('close', () => resolve('{"failed":"it ended at once"}'));
  });
  // It ends when its input does, also if this process is killed.
  const stop = (): void => void child.stdin.end();
  const said = JSON.parse(line) as Readonly<Record<string, string>>;
  if (said['missing'] !== undefined || said['failed'] !== undefined) {
    stop();
    throw new Usage(said['missing'] === undefined ? `--local: ${said['failed']}` : `--local needs more packages: ${said['missing']}`);
  }
  const { FACILITATOR_URL: facilitator = '', RPC_URL: rpc = '', key = '', payee = '' } = said;
  return { facilitator, rpc, key, payee, stop };
}
