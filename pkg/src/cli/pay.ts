/** `pay`: the content of a request, paid for if it has to be. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { FareboxError, type SentPayment } from '../error.js';
import { payingFetch } from '../fetch.js';
import { fileStore } from '../file-store.js';
import type { Policy, Proposal, Receipt } from '../options.js';
import { paymentOf, receiptOf } from '../receipts.js';
import { resume, resumedPayments } from '../resume.js';
import { localSigner, type Signer } from '../signer.js';
import { inLines, linesOf } from './look.js';
import { type Asked, asked, keyOf } from './request.js';
import { jsonText, reader as outside, tell, visible } from './terminal.js';
import { EXIT, type Words } from './words.js';

export async function pay(words: Words): Promise<number> {
  const request = asked(words);
  const { url, init, policy, store } = request;
  const wallet = walletOf(words);
  const confirm = asking(words, policy);
  const budget = fileStore(store);
  const before = await keptBeside(request, () => resumedPayments(budget));
  const fetch = payingFetch({ signer: wallet, policy, store: budget, confirm, resume });
  const response = await keptBeside(request, () => fetch(url, init), wallet);
  // What this run has not signed was signed by an earlier one.
  const key = wallet.hasSigned ? undefined : paymentOf(response)?.key;
  return printed(response, words, request, before.find((it) => it.open && it.key === key)?.at);
}

/** Shows the terms, and asks the person unless `--yes` answers. */
export function asking(words: Words, policy: Policy): (proposal: Proposal) => Promise<boolean> {
  return async (proposal) => {
    tell(inLines(linesOf(proposal)));
    if (proposal.again && words.values.yes === true && policy.payAgain !== true) {
      tell('farebox: not paid again by --yes alone: look at the wallet, and answer without it\n');
      return false;
    }
    return words.values.yes === true || (await yes(`pay ${proposal.amountText} from ${proposal.payer}? [y/N] `));
  };
}

/** The wallet of the command, and whether it has signed what moves money. */
export type Wallet = Signer & { hasSigned: boolean };

export function walletOf(words: Words): Wallet {
  const signer = localSigner(keyOf(words));
  const wallet: Wallet = {
    ...signer,
    hasSigned: false,
    sign: (typedData, signal) => {
      // A request for an answer that was paid for before moves none.
      wallet.hasSigned ||= typedData.primaryType !== 'Redelivery';
      return signer.sign(typedData, signal);
    },
  };
  return wallet;
}

/** The answer; where there is none, what was signed for it is kept, and any other failure says that something was. */
export async function keptBeside<T>(request: Asked, ask: () => Promise<T>, wallet?: Wallet): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { code, payment, response } = error as FareboxError;
    await keep(payment, request);
    // It was paid for, whatever its receipt says. It may have no end, so that the warning comes first.
    if (code === 'receipt_mismatch' && response?.body) {
      tell('farebox: what follows came under a receipt that contradicts the payment\n');
      await written(response.body);
    }
    if (wallet?.hasSigned !== true || error instanceof FareboxError) throw error;
    const message = `a payment was signed, and then this machine failed: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
    throw new FareboxError({ code: 'payment_unresolved', message, remedy: '', signed: true }, error);
  }
}

/** Prints the content and the receipt, and keeps what is open; the code to exit with. `began`: when a payment that goes on was sent before, in Unix seconds. */
export async function printed(response: Response, words: Words, request: Asked, began?: number): Promise<number> {
  const [receipt, sent] = [receiptOf(response), paymentOf(response)];
  if (receipt !== undefined) tell(words.values.json === true ? `${jsonText(receipt)}\n` : told(receipt, began));
  const end = response.body === null ? 'whole' : await written(response.body);
  if (end !== 'whole') {
    // The other one is told for every command.
    if (end === 'broken') tell('farebox: the content broke off\n');
    await keep(sent, request);
    return sent === undefined ? EXIT.lost : EXIT.signed;
  }
  if (response.ok) {
    if (sent !== undefined && receipt === undefined)
      tell('farebox: a payment was sent, and no receipt came with the content: the same command sends it again\n');
    return EXIT.done;
  }
  tell(`farebox: the server answered ${response.status}\n`);
  await keep(sent, request);
  return sent === undefined ? EXIT.failed : EXIT.signed;
}

/**
 * Writes all of it, and tells what ended it otherwise. What was not read to its end stays open: so it is not given up where it cannot be written. A
 * reader that has enough, such as head, has all that it bought.
 */
async function written(body: ReadableStream<Uint8Array>): Promise<'whole' | 'broken' | 'unwritten'> {
  const decoder = new TextDecoder();
  // At a terminal the content of others moves no cursor.
  const shown = (piece?: Uint8Array): Uint8Array | string =>
    process.stdout.isTTY ? visible(decoder.decode(piece, { stream: piece !== undefined })) : (piece ?? '');
  const failedOn = (piece: Uint8Array | string): Promise<NodeJS.ErrnoException | undefined> =>
    new Promise((resolve) => process.stdout.write(piece, (error) => resolve(error ?? undefined)));
  const reader = body.getReader();
  outside.isHeard = true;
  let isTaken = false;
  for (;;) {
    const part = await reader.read().catch(() => undefined);
    if (part === undefined) return 'broken';
    const failed = await failedOn(shown(part.value));
    if (failed !== undefined) {
      // A reader that is gone before it took any of it has not what it bought.
      if (failed.code !== 'EPIPE' || !isTaken) return 'unwritten';
      await reader.cancel();
      return 'whole';
    }
    isTaken ||= (part.value?.length ?? 0) > 0;
    if (part.done) return 'whole';
  }
}

export function told({ price, symbol, amount, payTo, network, transaction }: Receipt, began?: number): string {
  const paid = `${price} ${symbol} (${amount}) to ${payTo} on ${network}`;
  return inLines([
    began === undefined ? ['paid', paid] : ['continued', `a payment of ${new Date(began * 1000).toTimeString().slice(0, 8)}: ${paid}`],
    ['receipt', transaction],
  ]);
}

/** A payment as it is kept, with the rest of its request and the folder of its budget. */
export type KeptFile = SentPayment & {
  readonly store: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** In base64. */
  readonly body?: string;
};

/** Asks on standard error; an end of input is a no. */
async function yes(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve) => {
      lines.once('close', () => resolve(''));
      lines.question(question, resolve);
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

/** Keeps a payment whose outcome is open where its owner alone can read it: it can be sent again. */
export async function keep(payment: SentPayment | undefined, { init, store }: Asked): Promise<void> {
  if (payment === undefined) return;
  const { headers, body } = init;
  // As it was typed it would be another one in another folder.
  const kept: KeptFile = {
    ...payment,
    store: resolve(store),
    headers,
    ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }),
  };
  const file = join(dirname(store), `payment-${payment.key.slice(2, 18)}.json`);
  try {
    await mkdir(dirname(store), { recursive: true, mode: 0o700 });
    await writeFile(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    // It says nothing of the payment, which is in the budget.
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    tell(
      `farebox: the payment cannot be kept beside the budget: ${why}\n         the same command sends it again, and it is charged once at most\n`,
    );
    return;
  }
  tell(
    `farebox: the payment is in ${file}; npx farebox resend with that file, or the same command, sends it again, and it is charged once at most\n`,
  );
}
