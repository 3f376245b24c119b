// Folders and files that came with a repository of somebody else: `farebox serve` and `farebox backup` run nothing, end nothing, remove nothing
// and send nothing because these say so. What is written over is in `serve.test.ts`.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { backUp, restore } from '../../pkg/gate/dist/serve/backup.js';
import { lives } from '../../pkg/gate/dist/serve/left.js';
import { variables } from '../../pkg/gate/dist/serve/settings.js';
import { inCopy, takeState } from '../../pkg/gate/dist/serve/state.js';
import { eventually } from '../support/eventually.ts';
import { PROGRAM } from './serve-world.ts';

const place = mkdtempSync(join(tmpdir(), 'farebox-strangers-'));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(place, { recursive: true, force: true });
});
const at = (...names: string[]): string => join(place, ...names);

/** A folder with what a repository can bring, and secrets as this program makes them. */
function folder(name: string, files: Readonly<Record<string, string>> = {}): string {
  mkdirSync(at(name, 'rows'), { recursive: true });
  writeFileSync(at(name, 'secrets.json'), '{"LEDGER_SALT":"s"}', { mode: 0o600 });
  for (const [file, text] of Object.entries(files)) writeFileSync(at(name, file), text);
  return at(name);
}

/** A process whose command line begins with this word. */
async function processOf(word: string): Promise<ChildProcess> {
  const child = spawn('sleep', ['600'], { argv0: word });
  children.add(child);
  await once(child, 'spawn');
  return child;
}

const isAlive = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;
const configOf = (gate: string): string => join(gate, 'runtime', 'config.capnp');
const SOCKETS = join(tmpdir(), 'farebox-a1b2c3');
/** Processes of these names live, and do not. */
const [LIVES, LIVES_NOT] = ['served-by-1-ab', 'served-by-999999999-ab'];
const NAMES = [LIVES, LIVES_NOT] as const;

test('a process that is over, and whose parent takes no note, keeps no folder', { skip: process.platform !== 'linux' }, async () => {
  // The shell becomes another program, which waits for no child.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.add(parent);
  const [number] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(String(number));
  assert.ok(lives(pid));
  await eventually('the process is over', () => /^\d+ \(sleep\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  assert.equal(lives(pid), false);
  assert.doesNotThrow(() => process.kill(pid, 0), 'its number is still taken');
});

test('a process of which a thread is left may still write', { skip: process.platform !== 'linux' }, async () => {
  const ends =
    'import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); ctypes.CDLL(None).pthread_exit(0)';
  const child = spawn('python3', ['-c', ends], { stdio: 'ignore' });
  children.add(child);
  const pid = child.pid!;
  await eventually('its first thread is over', () => /^\d+ \(python3[^)]*\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
  assert.ok(lives(pid));
});

//
test('a mark with a text for a number, with other words or with another folder is not believed', async () => {
  const victim = at('victim', 'all');
  mkdirSync(victim, { recursive: true });
  const other = await processOf('a program');
  const marks = (gate: string): readonly object[] => [
    { pid: `0; touch ${at('shell-ran')}`, words: configOf(gate), sockets: SOCKETS },
    { pid: String(other.pid), words: configOf(gate), sockets: SOCKETS },
    { pid: -1, words: configOf(gate), sockets: SOCKETS },
    { pid: 1.5, words: configOf(gate), sockets: SOCKETS },
    { pid: other.pid, words: '', sockets: SOCKETS },
    { pid: other.pid, words: 'a program', sockets: SOCKETS },
    { pid: other.pid, words: 'runtime/config.capnp', sockets: SOCKETS },
    { pid: other.pid, words: `${gate}/../${gate}/runtime/config.capnp`, sockets: SOCKETS },
    { pid: other.pid, words: configOf(gate), sockets: at('victim') },
    { pid: other.pid, words: configOf(gate), sockets: '../victim' },
    { pid: other.pid, words: configOf(gate), sockets: 'farebox-a1b2c3' },
    { pid: other.pid, words: configOf(gate), sockets: `${SOCKETS}/..` },
    { pid: other.pid, words: configOf(gate) },
    [],
  ];
  for (const [count] of marks('').entries())
    for (const name of NAMES) {
      const gate = folder(`marked-${count}-${name}`);
      writeFileSync(join(gate, name), JSON.stringify(marks(gate)[count]));
      assert.throws(() => backUp(gate, at('copy')), /cannot be read: end the workerd/, `${count} ${name}`);
      if (name === LIVES_NOT) assert.throws(() => takeState(gate), /cannot be read: end the workerd/, `${count}`);
      assert.deepEqual(
        readdirSync(gate).sort(),
        ['.gitignore', 'rows', 'secrets.json', name].filter((it) => existsSync(join(gate, it))).sort(),
      );
    }
  // By the program too, because a shell of its would go on behind it.
  const gate = folder('in-a-repository');
  writeFileSync(join(gate, LIVES), JSON.stringify(marks(gate)[0]));
  assert.equal(spawnSync(process.execPath, [PROGRAM, 'backup', at('copy'), '--state', gate]).status, 2);
  await new Promise((done) => setTimeout(done, 300));
  assert.deepEqual([existsSync(at('shell-ran')), existsSync(victim), existsSync(at('copy')), isAlive(other)], [false, true, false, true]);
});

//
test('a process is ended or stopped only if it is the runtime of these rows', async () => {
  const gate = folder('ends');
  const neighbour = folder('neighbour');
  const mark = (name: string, pid: number | undefined, words: string, sockets = SOCKETS): void =>
    writeFileSync(join(gate, name), JSON.stringify({ pid, words, sockets }));
  const program = await processOf('a program');
  const theirs = await processOf(configOf(neighbour));
  // The number is another program's now.
  mark(LIVES_NOT, program.pid, configOf(gate));
  takeState(gate).leave();
  for (const name of NAMES) {
    mark(name, theirs.pid, configOf(neighbour));
    assert.throws(() => (name === LIVES ? backUp(gate, at('copy-of-ends')) : takeState(gate)), /may still read the rows: end it/);
    rmSync(join(gate, name));
  }
  mark(LIVES, program.pid, configOf(gate));
  assert.throws(() => backUp(gate, at('copy-of-ends')), /is no runtime of .*: call again/);
  rmSync(join(gate, LIVES));
  assert.deepEqual([program, theirs].map(isAlive), [true, true]);
  // Its own goes, also if the one who left it called the folder by another name.
  symlinkSync(gate, at('by-a-link'));
  for (const [count, name] of [gate, at('by-a-link')].entries()) {
    const own = await processOf(configOf(name));
    const ended = once(own, 'exit');
    mark(LIVES_NOT, own.pid, configOf(name));
    // By the program, because this process has to hear of the end.
    const child = spawn(process.execPath, [PROGRAM, 'backup', at(`copy-${count}`), '--state', gate]);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  }
  assert.equal(existsSync(join(gate, LIVES_NOT)), false);
});

//
test('of the folder that a mark names only sockets are removed', async () => {
  const gate = folder('removes');
  const [full, empty] = [at('farebox-a1b2c3'), at('farebox-d4e5f6')];
  for (const it of [full, empty]) {
    mkdirSync(it);
    const server = createServer().listen(join(it, 'requests'));
    await once(server, 'listening');
    // It leaves the file behind, as a killed one does.
    const kept = join(it, 'kept');
    spawnSync('ln', [join(it, 'requests'), kept]);
    server.close();
    await once(server, 'close');
    spawnSync('mv', [kept, join(it, 'requests')]);
    assert.ok(existsSync(join(it, 'requests')));
  }
  writeFileSync(join(full, 'sweep'), 'no socket');
  writeFileSync(join(full, 'letter'), 'to a friend');
  for (const sockets of [full, empty, at('farebox-000000')]) {
    writeFileSync(join(gate, LIVES_NOT), JSON.stringify({ pid: 999_999_999, words: configOf(gate), sockets }));
    takeState(gate).leave();
  }
  assert.deepEqual([readdirSync(full).sort(), existsSync(empty)], [['letter', 'sweep'], false]);
});

//
test('secrets that others can read, or with other names, are not those of a gate', { skip: process.platform === 'win32' }, () => {
  const gate = folder('secrets');
  const file = join(gate, 'secrets.json');
  for (const [mode, text, refused] of [
    [0o600, '{"LEDGER_SALT":"s"}', undefined],
    [0o400, '{"LEDGER_SALT":"s"}', undefined],
    // As a volume of Kubernetes with a group has it.
    [0o660, '{"LEDGER_SALT":"s"}', undefined],
    [0o644, '{"LEDGER_SALT":"s"}', /others can read .*secrets\.json.*chmod 600 \/.*\/secrets\.json$/],
    [0o664, '{"LEDGER_SALT":"s"}', /others can read/],
    [0o777, '{}', /others can read/],
    [0o644, '{"API_KEYS":"[]"}', /others can read/],
    [
      0o600,
      '{"LEDGER_SALT":"s","API_KEYS":"[]"}',
      /has "API_KEYS", and only GATE_SECRET, LEDGER_SALT, OPERATOR_TOKEN stand there: that is a secret, set it in the environment$/,
    ],
    [0o600, '{"RPC_URL":"https://node.example"}', /has "RPC_URL".* set that in the environment or in the file of --config$/],
    [0o600, '{"__proto__":"x"}', /has "__proto__"/],
    [0o600, '{"OPERATOR_TOKEN":7}', /OPERATOR_TOKEN of .* is no text/],
    [0o600, '{"LEDGER_SALT', /cannot be read as JSON/],
    [0o600, '["x"]', /has "0"/],
  ] as const) {
    rmSync(file);
    writeFileSync(file, text);
    chmodSync(file, mode);
    const copied = (): void => {
      backUp(gate, at('copy-of-secrets'));
      rmSync(at('copy-of-secrets'), { recursive: true });
    };
    for (const taken of [() => takeState(gate).leave(), copied])
      if (refused === undefined) taken();
      else assert.throws(taken, refused, text);
    assert.deepEqual(
      readdirSync(gate).filter((name) => name.startsWith('served-by-')),
      [],
    );
  }
  // A link is what it leads to.
  writeFileSync(at('elsewhere.json'), '{}');
  rmSync(file);
  symlinkSync(at('elsewhere.json'), file);
  assert.throws(() => takeState(gate), /others can read/);
  chmodSync(at('elsewhere.json'), 0o600);
  takeState(gate).leave();
});

test('the secrets of a first start are closed, also once they were put back', () => {
  const { secretsFile, secrets, leave } = takeState(at('first'));
  leave();
  assert.deepEqual(Object.keys(secrets), ['GATE_SECRET', 'LEDGER_SALT', 'OPERATOR_TOKEN']);
  backUp(at('first'), at('copy-of-first'));
  chmodSync(join(inCopy(at('copy-of-first')), 'secrets.json'), 0o644);
  // Whoever empties it by `rm -r *` leaves that.
  for (const name of readdirSync(at('first'))) if (name !== '.gitignore') rmSync(at('first', name), { recursive: true });
  restore(at('copy-of-first'), at('first'));
  const again = takeState(at('first'));
  again.leave();
  assert.deepEqual([again.secretsFile, again.secrets], [secretsFile, secrets]);
});

test('git adds nothing of the folder, and a repository that is served from hides nothing of its own', () => {
  const git = (...words: string[]): string => spawnSync('git', words, { cwd: at('repository'), encoding: 'utf8' }).stdout;
  mkdirSync(at('repository'));
  git('init', '-q');
  writeFileSync(at('repository', 'app.js'), '');
  takeState(at('repository', '.farebox-gate')).leave();
  git('add', '.');
  assert.equal(git('ls-files'), 'app.js\n');
  takeState(at('repository')).leave();
  assert.equal(existsSync(at('repository', '.gitignore')), false);
  const own = folder('with-its-own', { '.gitignore': 'rows\n' });
  takeState(own).leave();
  assert.equal(readFileSync(join(own, '.gitignore'), 'utf8'), 'rows\n');
});

//
test('a folder of another program, in which runtime is its own, is not taken', () => {
  mkdirSync(at('app', 'runtime'), { recursive: true });
  writeFileSync(at('app', 'runtime', 'index.js'), 'theirs');
  symlinkSync(at('app'), at('by-link'));
  for (const name of ['app', 'by-link']) assert.throws(() => takeState(at(name)), /has runtime and no secrets\.json: name another --state/);
  assert.deepEqual(readdirSync(at('app')), ['runtime']);
});

//
test('a configuration of somebody else sends no variable of the environment to a facilitator but its tokens', () => {
  const config = at('gate.json');
  const given = (name: unknown, isText = false): Record<string, string> => {
    const facilitators = [{ url: 'https://good.example' }, { url: 'https://evil.example', auth: { bearer: name } }];
    writeFileSync(config, JSON.stringify({ FACILITATOR_URL: isText ? JSON.stringify(facilitators) : facilitators }));
    const words = { origin: 'http://x', price: ['/a=$1'], 'pay-to': '0x1', config };
    return variables(words, { OPERATOR_TOKEN: 'o' }, typeof name === 'string' ? { [name]: 'secret' } : {});
  };
  for (const name of ['FACILITATOR_TOKEN', 'FACILITATOR_2_TOKEN', 'FACILITATOR_BACKUP_TOKEN'])
    for (const isText of [false, true]) assert.equal(given(name, isText)[name], 'secret', name);
  for (const name of [
    'FAREBOX_PRIVATE_KEY',
    'FAREBOX_OPERATOR_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'GITHUB_TOKEN',
    'MY_TOKEN',
    'facilitator_token',
    'FACILITATOR_TOKEN\n',
    'FACILITATOR_',
    'OPERATOR_TOKEN',
    'REFUND_TOKEN',
    'GATE_SECRET',
    'PAYEE_KEY',
    'RPC_URL',
    '',
  ])
    for (const isText of [false, true])
      assert.throws(
        () => given(name, isText),
        /^Error: FACILITATOR_URL: "bearer" names ".*": name it FACILITATOR_TOKEN or FACILITATOR_…_TOKEN/,
        name,
      );
  // The rules of the gate refuse these. None of them becomes another text on its way.
  for (const name of [undefined, null, 7, ['GATE_SECRET']]) assert.doesNotThrow(() => given(name));
  const twice = JSON.stringify(JSON.stringify([{ url: 'https://evil.example', auth: { bearer: 'GATE_SECRET' } }]));
  writeFileSync(config, JSON.stringify({ ORIGIN_URL: 'http://x', PAY_TO: '0x1', ROUTES: [], FACILITATOR_URL: twice }));
  assert.equal(variables({ config }, {}, {})['FACILITATOR_URL'], twice);
});
