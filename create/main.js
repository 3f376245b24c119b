#!/usr/bin/env node
// `npm create farebox`: the project is made by the package that it will depend on.
import { create } from 'farebox-gate/create';

process.exitCode = await create(process.argv.slice(2), 'npm create farebox my-gate --');
