/** What the documents say of answers above 499, and which rows docs/limits.md has. */
import { readFileSync } from 'node:fs';

/** The cells of the rows of a section's table. */
export function rowsOf(file: string, heading: string): string[][] {
  const text = readFileSync(file, 'utf8').split(`\n${heading}\n`)[1];
  if (text === undefined) throw new Error(`${file} has no ${heading}`);
  const lines = (text.split(/\n#+ /)[0] ?? '').split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split(' | ')
      .map((cell) => cell.trim()),
  );
}

/** The texts between backticks. */
export const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

const ANSWERS = rowsOf('docs/limits.md', '## Answers from 500 on').map(([workers = '', statuses = '', says = '', alone = '']) => ({
  workers: namesIn(workers),
  statuses: statuses.split(', ').map(Number),
  says: namesIn(says),
  isAlone: alone === 'yes',
}));

/** Whether the documents name this answer for parts that work. */
export function isDocumented(worker: string, status: number, text: string): boolean {
  return ANSWERS.some(
    ({ workers, statuses, says, isAlone }) =>
      isAlone && workers.includes(worker) && statuses.includes(status) && says.some((word) => text.includes(word)),
  );
}
