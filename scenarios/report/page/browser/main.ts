import type { PageData } from '../layout.ts';
import { Viewer } from './viewer.ts';

// The page of one run: its data stands in it.
const data = JSON.parse(document.getElementById('run')!.textContent) as PageData;
new Viewer(data, { root: document.body, signal: new AbortController().signal });
