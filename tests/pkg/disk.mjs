// Loaded before a program: notes what it has put on the disk by `fsync`, and nothing else. `lostPower` of `power.ts` makes a folder of that.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';

const { openSync, fsyncSync } = fs;
const log = process.env.FAREBOX_DISK_LOG ?? '';
/** @type {Map<number, string>} */
const paths = new Map();

fs.openSync = (path, ...more) => {
  const handle = openSync(path, ...more);
  paths.set(handle, resolve(String(path)));
  return handle;
};
fs.fsyncSync = (handle) => {
  fsyncSync(handle);
  const path = paths.get(handle) ?? '';
  const { ino } = fs.fstatSync(handle);
  const found = fs.fstatSync(handle).isDirectory()
    ? {
        folder: path,
        names: fs
          .readdirSync(path, { withFileTypes: true })
          .map((entry) => [entry.name, entry.isDirectory() ? null : fs.lstatSync(`${path}/${entry.name}`).ino]),
      }
    : { file: ino, bytes: fs.readFileSync(path, 'base64') };
  fs.appendFileSync(log, `${JSON.stringify(found)}\n`);
};
syncBuiltinESMExports();
