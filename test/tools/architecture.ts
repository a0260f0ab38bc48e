import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLOORS } from '../support/house.ts';
import { readGraph } from '../support/imports.ts';
import { pictureOf } from './picture.ts';
import { withRooms } from './rooms-table.ts';
import { houseOf } from './wings.ts';

// Draws docs/architecture.svg and writes the table of docs/architecture.md; npm runs it in the root of the repository.
const root = process.cwd();
const graph = readGraph(root, FLOORS);
const page = join(root, 'docs/architecture.md');
writeFileSync(join(root, 'docs/architecture.svg'), pictureOf(houseOf(graph)));
writeFileSync(page, withRooms(readFileSync(page, 'utf8'), graph));
