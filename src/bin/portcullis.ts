#!/usr/bin/env node
/** The one executable. Its commands are in cli/program.ts. */
import { run } from '../cli/program.ts';

await run(process.argv.slice(2));
