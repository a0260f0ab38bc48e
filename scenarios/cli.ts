#!/usr/bin/env node
import { main } from './cli/main.ts';
import { endWithoutOutput } from './cli/output.ts';

process.stdout.on('error', endWithoutOutput);

process.exitCode = await main(process.argv);
