/** Carries out the decisions of the compiled part, one step after the other. */
import { turnOf } from './alone.js';
import { beginning } from './beginning.js';
import { FareboxError, memberOf, notBroadcast, type SentPayment, type Told, told } from './error.js';
import { type Call, called } from './node.js';
import { noted } from './noted.js';
import { agree, declined, named, type Payment, proposalOf, type Step, sentOf, tell, toldOf } from './payment.js';
import { askPerson } from './person.js';
import { noteOf } from './receipts.js';
import { endsIn, headerLines, pause } from './request.js';
import { update } from './store.js';
import { timerMs } from './timer.js';

/** Runs the steps; an error carries the payment and the last answer, if there are any. */
export async function pay(payment: Payment, begins?: Step): Promise<Response> {
  const goesOn = begins?.do === 'send';
  // What has ended is asked for again, and signed with the nonce that it had.
  const last: Last = { response: payment.first, sent: goesOn ? sentOf(payment) : undefined, reserved: goesOn, hasLeft: goesOn };
  try {
    return await steps(payment, last, begins);
  } catch (thrown) {
    // Read first: once it is left, another call may go on with it.
    const isSigned = payment.exchange.payment() !== undefined;
    await payment.kept?.ended();
    const { signal } = payment.request.rest;
    const isAbort = signal?.aborted === true && thrown === signal.reason;
    const error = isAbort && isSigned ? new FareboxError(ABORTED, thrown) : thrown;
    if (error instanceof FareboxError) {
      if (error.code === 'endpoint_blocked' || error.code === 'approval_needed') payment.watch.stale();
      // What was held back is not to be sent by anyone.
      error.payment = last.sent;
      // Signed counts whatever fails later, including a wallet that refuses a second request.
      error.signed ||= isSigned;
      error.response = last.response;
    }
    throw error;
  }
}

/**
 * The last answer, unless the last request was lost, and the payment that left last; whether it is counted, and whether something that can be charged has left
 * this process, or may have.
 */
type Last = { response: Response | undefined; sent: SentPayment | undefined; reserved: boolean; hasLeft: boolean; turn?: Turn };

/** A turn in which no other payment of this process signs an allowance of the same token: given back with the answer, or some time after the payment has left. */
type Turn = { readonly leave: () => void; readonly ends: () => void };
/** How long a server that does not answer keeps it, and how long another payment waits for it, seconds, unless the policy says how long a payment is sent again. */
const TURN_SECS = 60;

async function steps(payment: Payment, last: Last, begins: Step | undefined): Promise<Response> {
  const { exchange, request, signer, store, now, endpoint, watch, kept } = payment;
  const { signal } = request.rest;
  exchange.readOn(Object.keys(payment.options.nodes ?? {}).join(' '));
  if (begins?.do === 'afresh' && signer.known !== undefined)
    told(() => {
      exchange.paysFrom(signer.known ?? '');
    });
  let step = begins ?? (await answered(payment, payment.first, now));
  for (;;) {
    switch (step.do) {
      case 'return': {
        if (last.response === undefined) throw new TypeError('there is no response');
        if (last.response.ok) await watch.delivered(endpoint, step.retrying, step.receipt !== null);
        // What was signed stays counted if the store fails.
        if (step.settles) await noted(() => update(store, (record) => told(() => exchange.settle(record))));
        if (last.reserved) tell(payment, 'done');
        const sent = sentOf(payment);
        if (sent === undefined) {
          await kept?.ended();
          return last.response;
        }
        last.turn?.leave();
        await toldOf(payment, step.receipt);
        const response = kept === undefined ? last.response : await kept.settled(last.response, step.receipt);
        noteOf(response, sent, step.receipt);
        return response;
      }
      case 'fail':
        if (last.reserved && step.error.signed !== true) await unsigned(payment);
        throw new FareboxError(step.error);
      case 'choose': {
        const { options } = step;
        const question = { options, method: request.method, url: payment.url };
        const option = (await askPerson(signal, () => payment.options.choose?.(question))) ?? 'one-shot';
        if (!options.includes(option)) throw declined();
        step = JSON.parse(exchange.chose(option)) as Step;
        break;
      }
      case 'afresh':
        if (last.reserved) await release(payment);
        last.reserved = false;
        signal?.throwIfAborted();
        // A loss here is like that of the first request: nothing is signed.
        last.response = await paid(payment, []);
        step = await answered(payment, last.response, now);
        break;
      case 'reserve':
        signal?.throwIfAborted();
        await update(store, (record) => told(() => exchange.reserve(record, now())));
        last.reserved = true;
        tell(payment, 'looked');
      // falls through
      case 'renew':
        try {
          if (payment.options.confirm !== undefined) await agree(payment);
          tell(payment, 'confirmed');
          if (signer.known === undefined && exchange.payment() === undefined) await named(payment);
          step = await prepared(payment);
        } catch (error) {
          // Neither a person who says no nor a wallet without an address has signed anything.
          await unsigned(payment);
          throw error;
        }
        break;
      case 'read': {
        const reading = step;
        const next = async (): Promise<Step> => JSON.parse(exchange.read(...(await allowanceOf(payment, reading)))) as Step;
        step = await next();
        if (step.do !== 'sign' || payment.allowsAlone) break;
        // A token takes its permits one after the other: another one before it is answered would have the same number.
        const name = `${proposalOf(payment)?.payer} ${reading.network} ${reading.calls[0].to}`;
        const most = (payment.options.policy?.deadlineSecs ?? TURN_SECS) * 1000;
        // Another one may never end: of two permits with one number the chain takes one.
        const leave = await turnOf(name, store, signal, most).catch(async (error: unknown) => {
          // Nothing was signed.
          await unsigned(payment);
          throw error;
        });
        let timer: ReturnType<typeof setTimeout> | undefined;
        const ends = (): void => {
          timer ??= setTimeout(leave, timerMs(most));
        };
        last.turn = { leave, ends };
        try {
          return await steps({ ...payment, allowsAlone: true }, last, await next());
        } finally {
          clearTimeout(timer);
          leave();
        }
      }
      case 'prepare':
        try {
          step = await prepared(payment);
        } catch (error) {
          // The wallet has signed nothing that moves money.
          await unsigned(payment);
          throw error;
        }
        break;
      case 'mark':
        await watch.hold(endpoint, (record) => told(() => exchange.mark(record, now())), proposalOf(payment));
        step = JSON.parse(exchange.marked()) as Step;
        break;
      case 'sign': {
        const { typedData } = step;
        let signature: string;
        try {
          signal?.throwIfAborted();
          tell(payment, 'signing');
          signature = await signer.sign(typedData, signal);
        } catch (error) {
          // A wallet that returns nothing has signed nothing.
          await unsigned(payment);
          throw error;
        }
        // A value that is not text is not a signature either.
        step = JSON.parse(exchange.signed(typeof signature === 'string' ? signature : '', now())) as Step;
        if (step.do !== 'prepare') kept?.proved?.(exchange.proof() ?? '', false);
        break;
      }
      case 'broadcast': {
        if (signal?.aborted === true) {
          await release(payment);
          throw signal.reason;
        }
        try {
          await kept?.sending(exchange, payment.url);
        } catch (error) {
          // Nothing was asked for yet.
          await unsigned(payment);
          throw error;
        }
        last.hasLeft = true;
        const hash = await sentTransaction(payment);
        kept?.proved?.(hash, true);
        step = JSON.parse(exchange.broadcast(hash, now())) as Step;
        break;
      }
      case 'send': {
        tell(payment, last.sent === undefined ? 'sent' : 'settling');
        try {
          await kept?.sends(exchange, payment.url);
          payment.signed?.(exchange);
        } catch (error) {
          // Another one took the room meanwhile: it is not kept, and a signature that nobody has seen is not counted.
          if (!last.hasLeft && memberOf(error, 'code') === 'budget_exhausted') await release(payment);
          throw error;
        }
        last.hasLeft = true;
        last.turn?.ends();
        await pause(step.waitMs, signal);
        signal?.throwIfAborted();
        last.sent = sentOf(payment);
        last.response = await paid(payment, step.headers).catch(() => undefined);
        if (last.response === undefined) signal?.throwIfAborted();
        step = last.response === undefined ? (JSON.parse(exchange.lost(now())) as Step) : await answered(payment, last.response, now);
        break;
      }
    }
  }
}

/** What a node tells of an allowance, and of the number of the next one. One that fails is asked once more. */
async function allowanceOf(
  { options, request }: Payment,
  { network, calls }: Extract<Step, { readonly do: 'read' }>,
): Promise<[string | undefined, string | undefined]> {
  const node = options.nodes?.[network] ?? '';
  const { signal } = request.rest;
  const ask = async (call: Call): Promise<string | undefined> => (await called(node, call, signal)) ?? called(node, call, signal);
  const allowance = await ask(calls[0]);
  return [allowance, allowance === undefined ? undefined : await ask(calls[1])];
}

/** The step that asks the wallet to sign. What a person took long to confirm is counted anew first. */
async function prepared({ exchange, kept, now, store, url }: Payment): Promise<Step> {
  const prepare = (): Step => JSON.parse(exchange.prepare(now())) as Step;
  let step = prepare();
  while (step.do === 'recount') {
    await update(store, (record) => told(() => exchange.recount(record, now())));
    step = prepare();
  }
  await kept?.prepared?.(exchange, url);
  return step;
}

/** An abort after a signature. */
const ABORTED: Told = {
  code: 'aborted',
  message: 'the request was aborted after the payment was signed',
  remedy: 'send error.payment again, or, if there is none, make the same call again; do not sign a new payment for the same request',
  signed: true,
};

/**
 * The hash of the transaction that the hook sends. Its work before a failure is unknown, so the
 * payment stays counted.
 */
async function sentTransaction(payment: Payment): Promise<string> {
  try {
    const proposal = proposalOf(payment);
    return String(proposal && (await payment.options.broadcast?.(proposal)));
  } catch (error) {
    throw notBroadcast(error);
  }
}

/** Counts it no more, unless something was signed for it before. */
async function unsigned(payment: Payment): Promise<void> {
  if (payment.exchange.payment() === undefined) await release(payment);
}

async function release({ exchange, store }: Payment): Promise<void> {
  await update(store, (record) => told(() => exchange.release(record)));
}

/** Passes an answer to the compiled part; bodies only of refusals, up to its limit. */
async function answered({ exchange }: Payment, response: Response | undefined, now: () => number): Promise<Step> {
  if (response === undefined) throw new TypeError('there is no response');
  const lines = headerLines(response.headers);
  const tells = response.status >= 400 && /json/i.test(response.headers.get('content-type') ?? '');
  const body = tells || response.status === 402 ? await beginning(response) : new Uint8Array();
  return JSON.parse(exchange.answered(response.status, lines, body, now())) as Step;
}

/**
 * The same request with the payment; a redirect is an answer, so that a payment goes only where it
 * was requested.
 */
function paid({ fetch, request, url, options }: Payment, payment: readonly (readonly [string, string])[]): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const [name, value] of payment) headers.set(name, value);
  const { body, method, rest } = request;
  return fetch(url, {
    ...rest,
    method,
    headers,
    redirect: 'manual',
    ...(options.timeoutMs === undefined ? {} : { signal: endsIn(options.timeoutMs, rest.signal) }),
    ...(body === undefined ? {} : { body }),
  });
}
