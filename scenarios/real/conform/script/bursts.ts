import type { ScriptState } from './state.ts';
import { NAMES, someAbsolute } from './words.ts';

/** Many of a kind, to the limits of a quota or of a message. */
export function burst(script: ScriptState): void {
  const { below, pick } = script.draw;
  const ring = script.aRing();
  const on = ring ?? script.anyone();
  switch (below(6)) {
    case 0:
      for (let i = 0; i < 132; i++) script.send(on, 'WATCH', `w/${i % 7}\0many-${i}\0`);
      return script.send(on, 'RESET_WATCHES', '\0');
    case 1: {
      const names = Array.from({ length: 13 }, () => `t${++script.txCount}`);
      for (const as of names) script.send(on, 'TRANSACTION_START', '\0', { as });
      for (const tx of names) script.send(on, 'TRANSACTION_END', 'F\0', { tx });
      return;
    }
    case 2: {
      const socket = script.privileged();
      const dir = someAbsolute(script);
      for (let i = 0; i < 20; i++)
        script.send(socket, 'MKDIR', `${dir}/${String(i).padStart(3, '0')}${'n'.repeat(230)}\0`);
      script.send(socket, 'DIRECTORY', `${dir}\0`);
      for (const offset of [0, 3800, 4050, 9999]) script.send(socket, 'DIRECTORY_PART', `${dir}\0${offset}\0`);
      return;
    }
    case 3: {
      const deep = Array.from({ length: 24 + below(20) }, (_, i) => pick(NAMES) + i).join('/');
      script.send(on, 'WRITE', `deep/${deep}\0bottom`);
      script.send(on, 'READ', `deep/${deep}\0`);
      return script.send(on, 'RM', 'deep\0');
    }
    case 4:
      for (let i = 0; i < 30; i++) script.send(on, 'WRITE', `many/${'m'.repeat(60)}${i}\0${i}`);
      script.send(on, 'DIRECTORY', 'many\0');
      return;
    default:
      for (let i = 0; i < 25; i++) script.send(on, 'WRITE', `quick/${i % 3}\0${i}`, { tx: 0 });
  }
}
