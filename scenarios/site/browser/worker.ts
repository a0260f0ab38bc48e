import type { Told, Wanted } from '../messages.ts';
import { answer } from '../simulate.ts';

// The thread of the simulator: one message with the version at first, then each with what the page wants.
let version = '';
addEventListener('message', ({ data }: MessageEvent<string | Wanted>) => {
  if (typeof data === 'string') version = data;
  else answer(data, version, (told: Told) => postMessage(told));
});
