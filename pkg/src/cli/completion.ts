/** `completion`: a line for a shell that completes the names of the commands. */
import { EXIT, Usage } from './words.js';

const LINES: Readonly<Record<string, (names: string) => string>> = {
  bash: (names) => `complete -o default -W '${names}' farebox`,
  zsh: (names) => `compdef "_arguments '1: :(${names})' '*: :_files'" farebox`,
  fish: (names) => `complete -c farebox -n __fish_use_subcommand -a '${names}'`,
};

/** Prints the line, for `source <(npx farebox completion bash)` or the like. */
export function completion([shell = '', ...others]: readonly string[], names: readonly string[]): number {
  const line = Object.hasOwn(LINES, shell) && others.length === 0 ? LINES[shell] : undefined;
  if (line === undefined) throw new Usage(`completion is followed by ${Object.keys(LINES).join(', ')}`);
  process.stdout.write(`${line(names.join(' '))}\n`);
  return EXIT.done;
}
