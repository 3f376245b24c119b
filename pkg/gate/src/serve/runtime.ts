/** workerd with one gate in it: started, asked, started again after a crash, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';

import { Later, Usage } from 'farebox/command';
import { configOf, ENTRY, UNDER_WAY } from './config.js';
import { CONFIG, isOwn, removeSockets, SOCKETS, socketsIn } from './left.js';
import { sweepLeft, sweepVacant } from './vacant.js';

/** A running gate. */
export type Runtime = {
  /** The socket for requests, which is another one after a crash. */
  socket(): string;
  /** Waits until it answers for the first time. */
  answers(): Promise<void>;
  /** Fails once it could not be started for so long that a supervisor has to know. */
  readonly lost: Promise<never>;
  /** Does not start it again if it ends from now on. */
  ending(): void;
  /** Waits until no work goes on behind the answers, for so long at most: its end would cut that. */
  rests(milliseconds: number): Promise<void>;
  /** Ends it: what runs may end by itself, for so long; at once if there is no time. */
  stop(milliseconds: number): Promise<void>;
};

export type RuntimeOptions = {
  /** Folder with the built gate. */
  readonly gate: string;
  readonly pages: string;
  readonly rows: string;
  /** Folder for what it is started with. */
  readonly files: string;
  /** Variables and secrets. */
  readonly vars: Readonly<Record<string, string>>;
  /** Told of each process that reads the rows, with what its command line has and the folder of its sockets. */
  readonly began: (pid: number, words: string, sockets: string) => void;
  /** Told what workerd writes. */
  readonly log: (text: string) => void;
  /** What is run [the program of the package `workerd`]. */
  readonly program?: string;
  /** Milliseconds without a runtime after which it is `lost` [five minutes]. */
  readonly patience?: number;
};

/** Pauses before workerd is started again after a crash, the first and the longest. */
const AGAIN_MS = { least: 200, most: 5_000 };
/** How long one has to run so that the next pause is the first one again. */
const SOUND_MS = 60_000;
/** How long one has to run so that it was a runtime. */
const LIVED_MS = 10_000;
const PATIENCE_MS = 300_000;
/** How long the first start may take. */
const START_MS = 30_000;
/** How often the gate looks for payments that wait, as its objects' alarms do by themselves, and this program for what holds nothing. */
const SWEEP_MS = 900_000;
/** Pause between two questions to it. */
const ASK_MS = 50;

/** Starts it. Whatever fails, none is left behind that reads the rows and that nobody can find. */
export function startRuntime({ gate, pages, rows, files, vars, began: runs, log, ...more }: RuntimeOptions): Runtime {
  const { program = programOf(), patience = PATIENCE_MS } = more;
  /** That of the sockets, which have short names: another one at each start. */
  let folder = '';
  // Where the folder is another's there are none.
  const sockets = (): ReturnType<typeof socketsIn> => socketsIn(isOwn(folder) ? folder : files);
  const config = join(files, CONFIG);
  // Small images have no certificates of authorities, and other systems keep them where workerd does not look.
  const authorities = join(files, 'authorities.pem');
  /** The gate as it was at the first start: another version may be installed meanwhile, and this program has judged for the one of then. */
  let built: readonly (readonly [name: string, bytes: Buffer])[] | undefined;
  /** Written anew at each start: whoever tidies up may have taken them. */
  const write = (): void => {
    if (lstatSync(files, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(files);
    mkdirSync(files, { recursive: true, mode: 0o700 });
    built ??= ['index.js', 'index_bg.wasm'].map((name) => [name, readFileSync(join(gate, name))] as const);
    for (const [name, bytes] of built) writeFileSync(free(join(files, name)), bytes, { flag: 'wx' });
    writeFileSync(free(join(files, 'entry.js')), ENTRY, { flag: 'wx' });
    writeFileSync(free(authorities), `${rootCertificates.join('\n')}\n`, { flag: 'wx' });
    writeFileSync(free(config), configOf({ pages, state: rows, sockets: socketsIn(folder), names: Object.keys(vars) }), { flag: 'wx' });
  };

  /** Answers for as long as this process lives, so that the runtime does not take its end for that of a client. */
  let front: Server | undefined;
  /** The process that may read the rows. */
  let child: ChildProcess | undefined;
  let isStopping = false;
  let pause = AGAIN_MS.least;
  let waiting: NodeJS.Timeout | undefined;
  let lived = Date.now();
  let lose: (error: Error) => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    lose = reject;
  });
  lost.catch(() => {});
  const { TMPDIR, SSL_CERT_DIR, SSL_CERT_FILE } = process.env;
  const start = (): void => {
    const began = Date.now();
    /** Hears of each way in which a process ends or does not begin: the next one comes from here alone. */
    const ends = (how: string): void => {
      child = undefined;
      if (isStopping) return;
      const now = Date.now();
      if (now - began > LIVED_MS) lived = now;
      if (now - lived > patience) {
        lose(new Later(`workerd ${how}, and has not run for ${Math.round((now - lived) / 1000)} seconds`));
        return;
      }
      log(`workerd ${how}; it starts again\n`);
      pause = now - began > SOUND_MS ? AGAIN_MS.least : Math.min(pause * 2, AGAIN_MS.most);
      waiting = setTimeout(start, pause);
    };
    try {
      front?.close();
      removeSockets(folder);
      folder = mkdtempSync(join(tmpdir(), SOCKETS));
      write();
      sweepLeft(rows);
      front = createServer((_, answer) => answer.end()).on('error', ({ message }) => log(`the front of workerd: ${message}\n`));
      front.listen(socketsIn(folder).front).unref();
      const it: ChildProcess = spawn(program, ['serve', '--experimental', config], {
        // A group of its own: Ctrl-C reaches this process alone, which lets requests under way end.
        detached: true,
        env: { ...vars, TMPDIR, SSL_CERT_DIR, SSL_CERT_FILE: SSL_CERT_FILE || authorities },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [it.stdout, it.stderr]) stream?.setEncoding('utf8').on('data', log);
      it.on('error', ({ message }) => (it.pid === undefined ? ends(`does not start: ${message}`) : log(`workerd: ${message}\n`)));
      it.once('exit', (code, signal) => ends(`ended with ${code ?? signal}`));
      if (it.pid === undefined) return;
      child = it;
      runs(it.pid, config, folder);
    } catch (error) {
      const { message } = error as Error;
      if (child === undefined) ends(`does not start: ${message}`);
      else {
        // It was not noted, so the next process would not find it. Its end is heard of as any other.
        log(`workerd is not noted: ${message}\n`);
        child.kill('SIGKILL');
      }
    }
  };
  // However this process ends by itself.
  process.once('exit', () => child?.kill('SIGKILL'));
  const ending = (): void => {
    isStopping = true;
    clearTimeout(waiting);
    clearInterval(sweeping);
  };
  const stop = async (milliseconds: number): Promise<void> => {
    ending();
    const ended = new Promise<void>((resolve) => (child === undefined ? resolve() : child.once('exit', () => resolve())));
    child?.kill(milliseconds === 0 ? 'SIGKILL' : 'SIGTERM');
    const late = setTimeout(() => child?.kill('SIGKILL'), milliseconds);
    await ended;
    clearTimeout(late);
    front?.close();
    removeSockets(folder);
  };
  const rests = async (milliseconds: number): Promise<void> => {
    const signal = AbortSignal.timeout(milliseconds);
    const goesOn = (): Promise<boolean> => asked(sockets().sweep, UNDER_WAY.path, signal).then((status) => status === UNDER_WAY.status);
    // One that cannot be asked is not waited for.
    while (await goesOn().catch(() => false)) await new Promise((done) => setTimeout(done, ASK_MS));
  };
  const answers = async (): Promise<void> => {
    for (const until = Date.now() + START_MS; ; ) {
      if (isStopping || (await asked(sockets().requests, '/_farebox/health').catch(() => undefined))) return;
      if (Date.now() > until) throw new Later('workerd does not answer; what it wrote is above');
      await new Promise((done) => setTimeout(done, ASK_MS));
    }
  };
  const sweeping = setInterval(() => {
    asked(sockets().sweep, '/').catch(() => undefined);
    // Without channels there is no folder of them.
    sweepVacant(rows, () => child?.pid).catch(() => undefined);
  }, SWEEP_MS);
  sweeping.unref();
  start();
  return { socket: () => sockets().requests, answers, lost, ending, rests, stop };
}

/** Removes what is there before a file is written: a link would have another file overwritten. */
function free(path: string): string {
  rmSync(path, { recursive: true, force: true });
  return path;
}

/** The status of a path behind a socket. */
function asked(socketPath: string, path: string, signal?: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, headers: { host: 'farebox.internal' }, ...(signal && { signal }) }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.once('error', reject);
    sent.end();
  });
}

/** The program of the npm package `workerd`: beside this package, or in the project that it runs in. */
function programOf(): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      const { default: path } = createRequire(from)('workerd') as { default: string };
      return path;
    } catch {
      // It may be in the other place.
    }
  }
  throw new Usage('the runtime is missing: npm install workerd in the folder that has farebox-gate');
}
