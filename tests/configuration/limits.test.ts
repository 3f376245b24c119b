/** docs/limits.md has a row for each route of each Worker, and for no other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { rowsOf } from '../support/hostile/documented.ts';
import { documentedRoutes, has, pathsInCode, prefixesInCode, SECTIONS, type Worker } from '../support/hostile/routes.ts';

const WORKERS = Object.keys(SECTIONS) as Worker[];

describe('docs/limits.md', () => {
  for (const worker of WORKERS) {
    it(`has a row for each path that the ${worker} matches`, () => {
      const [routes, paths, prefixes] = [documentedRoutes(worker), pathsInCode(worker), prefixesInCode(worker)];
      assert.ok(routes.length >= 15 && paths.size >= 10, `${routes.length} rows, ${paths.size} paths`);
      assert.deepEqual(
        [...paths].filter((path) => !has(routes, path)),
        [],
      );
      assert.deepEqual(
        [...prefixes].filter((prefix) => !routes.some(({ path }) => path.startsWith(prefix))),
        [],
      );
    });

    it(`says of each route of the ${worker} once what it needs, writes and asks`, () => {
      const routes = documentedRoutes(worker).map(({ method, path }) => `${method} ${path}`);
      assert.deepEqual(
        routes.filter((route, index) => routes.indexOf(route) !== index),
        [],
      );
      for (const cells of rowsOf('docs/limits.md', SECTIONS[worker]))
        assert.ok(cells.length === 5 && cells.every((cell) => cell !== ''), cells[0]);
    });
  }
});
