/** workerd with one gate in it: started, asked, started again after a crash, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants, copyFileSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';

import { Usage } from '../cli/words.js';
import { configOf, ENTRY } from './config.js';
import { CONFIG, isOwn, removeSockets, SOCKETS, socketsIn } from './left.js';

/** A running gate. */
export type Runtime = {
  /** The socket for requests, which is another one after a crash. */
  socket(): string;
  /** Does not start it again if it ends from now on. */
  ending(): void;
  /** Ends it: what runs may end by itself, for so long. */
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
};

/** Pauses before workerd is started again after a crash, the first and the longest. */
const AGAIN_MS = { least: 200, most: 5_000 };
/** How long the first start may take. */
const START_MS = 30_000;
/** How often the gate looks for payments that wait; its objects' alarms do the same by themselves. */
const SWEEP_MS = 900_000;

/** Starts it, and waits until it answers. */
export async function startRuntime({ gate, pages, rows, files, vars, began: runs, log }: RuntimeOptions): Promise<Runtime> {
  const program = programOf();
  /** That of the sockets, which have short names: another one at each start. */
  let folder = '';
  // Where the folder is another's there are none.
  const sockets = (): ReturnType<typeof socketsIn> => socketsIn(isOwn(folder) ? folder : files);
  const config = join(files, CONFIG);
  // Small images have no certificates of authorities, and other systems keep them where workerd does not look.
  const authorities = join(files, 'authorities.pem');
  /** Written anew at each start: whoever tidies up may have taken them. */
  const write = (): void => {
    if (lstatSync(files, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(files);
    mkdirSync(files, { recursive: true, mode: 0o700 });
    for (const file of ['index.js', 'index_bg.wasm']) copyFileSync(join(gate, file), free(join(files, file)), constants.COPYFILE_EXCL);
    writeFileSync(free(join(files, 'entry.js')), ENTRY, { flag: 'wx' });
    writeFileSync(free(authorities), `${rootCertificates.join('\n')}\n`, { flag: 'wx' });
    writeFileSync(free(config), configOf({ pages, state: rows, sockets: socketsIn(folder), names: Object.keys(vars) }), { flag: 'wx' });
  };

  let child: ChildProcess | undefined;
  let isStopping = false;
  let pause = AGAIN_MS.least;
  const { TMPDIR, SSL_CERT_DIR, SSL_CERT_FILE } = process.env;
  const start = (): void => {
    removeSockets(folder);
    folder = mkdtempSync(join(tmpdir(), SOCKETS));
    write();
    const began = Date.now();
    child = spawn(program, ['serve', '--experimental', config], {
      // A group of its own: Ctrl-C reaches this process alone, which lets requests under way end.
      detached: true,
      env: { ...vars, TMPDIR, SSL_CERT_DIR, SSL_CERT_FILE: SSL_CERT_FILE || authorities },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid !== undefined) runs(child.pid, config, folder);
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', log);
    child.once('error', (error) => log(`workerd does not start: ${error.message}\n`));
    child.once('exit', (code, signal) => {
      if (isStopping) return;
      log(`workerd ended with ${code ?? signal}; it starts again\n`);
      pause = Date.now() - began > 60_000 ? AGAIN_MS.least : Math.min(pause * 2, AGAIN_MS.most);
      setTimeout(() => (isStopping ? undefined : start()), pause).unref();
    });
  };
  const ending = (): void => {
    isStopping = true;
    clearInterval(sweeping);
  };
  const stop = async (milliseconds: number): Promise<void> => {
    ending();
    const ended = new Promise<void>((resolve) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once('exit', () => resolve());
    });
    child?.kill('SIGTERM');
    const late = setTimeout(() => child?.kill('SIGKILL'), milliseconds);
    await ended;
    clearTimeout(late);
    removeSockets(folder);
  };
  const sweeping = setInterval(() => void asked(sockets().sweep, '/').catch(() => undefined), SWEEP_MS);
  sweeping.unref();
  start();
  for (const until = Date.now() + START_MS; ; ) {
    const said = await asked(sockets().requests, '/_farebox/health').catch(() => undefined);
    if (said) return { socket: () => sockets().requests, ending, stop };
    if (Date.now() > until) {
      await stop(1_000);
      throw new Usage('workerd does not answer; what it wrote is above');
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Removes what is there before a file is written: a link would have another file overwritten. */
function free(path: string): string {
  rmSync(path, { recursive: true, force: true });
  return path;
}

/** The status of a path behind a socket. */
function asked(socketPath: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, headers: { host: 'farebox.internal' } }, (answer) => {
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
  throw new Usage('the runtime is missing: npm install workerd, or npx --package farebox --package workerd farebox serve …');
}
