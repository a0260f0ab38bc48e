#!/usr/bin/env node
import { main } from './cli/main.ts';
import { endWithoutOutput } from './cli/terminal/output.ts';

process.stdout.on('error', endWithoutOutput);

process.exitCode = await main(process.argv);
