import { parentPort } from 'node:worker_threads';
import { namedFormat } from './image/named.ts';
import { measureFormat } from './matrix.ts';

// One thread of the matrix: answers each name or path of a format with its column and its trial. Formats are code: each
// thread loads its own.
parentPort?.on('message', async (name: string) => parentPort?.postMessage(measureFormat(await namedFormat(name))));
