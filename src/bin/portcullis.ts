#!/usr/bin/env node
/** The one executable; what it can do stands in cli/program.ts. */
import { run } from '../cli/program.ts';

await run(process.argv.slice(2));
