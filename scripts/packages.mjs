// The npm packages of this repository: they have one version, and depend on each other at exactly that.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './steps.mjs';

/**
 * The parts of a manifest that are read here.
 *
 * @typedef {Record<string, any> & {name: string, version: string, files: string[], dependencies?: Record<string, string>}} Manifest
 */

/**
 * The folders of the packages, each after those that it depends on.
 *
 * @type {readonly string[]}
 */
export const PACKAGES = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces;

/**
 * The `package.json` of a package.
 *
 * @param {string} folder
 * @returns {Manifest}
 */
export function manifestOf(folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
}
