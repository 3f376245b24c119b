/** `skill`: publishes a skill at a market, sells another version, gives it another secret, takes it back. */
import type { PublishedSkill, SkillDraft } from '../agent/skills.js';
import { localSigner } from '../signer.js';
import { keyOf, objectOf } from './request.js';
import { SecretFile } from './secret-file.js';
import { jsonText, tell } from './terminal.js';
import { EXIT, Usage, type Words } from './words.js';

/** What follows each word. */
const FORMS: Readonly<Record<string, readonly string[]>> = { publish: ['FILE'], version: ['ID', 'FILE'], rotate: ['ID'], withdraw: ['ID'] };

export async function skill(words: Words): Promise<number> {
  const [, name = '', ...given] = words.positionals;
  const form = Object.hasOwn(FORMS, name) ? FORMS[name] : undefined;
  if (form === undefined) throw new Usage(`after skill comes ${Object.keys(FORMS).join(', ')}`);
  if (given.length !== form.length) throw new Usage(`skill ${name} is followed by ${form.join(' ')}`);
  const { market } = words.values;
  if (market === undefined) throw new Usage('the market is missing: --market URL');
  const draft = form.at(-1) === 'FILE' ? (objectOf(given.at(-1) ?? '', 'the skill') as SkillDraft) : undefined;
  const options = { market, signer: localSigner(keyOf(words)) };
  // The part of agents is not loaded by who only pays.
  const skills = await import('../agent/skills.js');
  const id = form[0] === 'ID' ? (given[0] ?? '') : '';
  if (name === 'withdraw') {
    await skills.withdrawSkill(id, options);
    tell(`${id} is not sold any more\n`);
    return EXIT.done;
  }
  const file = words.values['secret-file'];
  const kept = file === undefined ? undefined : new SecretFile(file);
  try {
    const published =
      name === 'publish'
        ? await skills.publishSkill(draft!, options)
        : name === 'version'
          ? await skills.publishVersion(id, draft as SkillDraft & { version: string }, options)
          : await skills.rotateSkillSecret(id, options);
    show(published, name, words, kept);
  } finally {
    kept?.close();
  }
  return EXIT.done;
}

/** Prints a skill, and its secret where that is new or asked for and goes into no file. */
function show({ skill: listed, secret, secretIsKnown }: PublishedSkill, name: string, words: Words, kept: SecretFile | undefined): void {
  // At the same host a new version has the secret of before: its owner has it, and the log of a price change needs none.
  const isNew = !secretIsKnown;
  const isKept = secret === undefined || kept === undefined || kept.keep(secret);
  // A secret that no file took would be lost.
  if (!isKept) tell('the file of --secret-file cannot be written any more: the secret is printed instead\n');
  const isPrinted = !isKept || (kept === undefined && (isNew || words.values['show-secret'] === true));
  process.stdout.write(`${jsonText(isPrinted ? { skill: listed, secret } : { skill: listed }, 2)}\n`);
  if (secret !== undefined && isNew) tell(name === 'rotate' ? ROTATED : KEEP);
}

const KEEP = 'keep the secret: it signs every request to you, and is not shown again\n';
const ROTATED = 'the new secret holds at once: until your server has it, its own refusal fails the calls. It is not shown again\n';
