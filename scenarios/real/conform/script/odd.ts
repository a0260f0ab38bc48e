import { isPathMaxFatal } from './limits.ts';
import type { ScriptState } from './state.ts';

const CONTROLS_422 = [
  'log',
  'log\0+wrl',
  'log\0-acc',
  'log\0+x',
  'quota\0max',
  'quota\0max\0-r',
  'quota\0max\0-x',
  'quota\x000\0x',
  'quota-soft\0set\0memory\x00100000',
  'quota-soft\0x',
] as const;

/** What nobody sends: types that are none, names that are not valid. */
export function oddRequest(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const on = script.anyone();
  if (oneIn(2))
    return script.send(on, pick([15, 16, 20, 27, 64, 0xffff, 0xffff_ffff]), pick(['', '/tool\0', 'x']), {
      tx: pick([0, 4242]),
    });
  if (script.plan.compat === '4.17' && oneIn(3))
    return script.send(on, pick([23, 24, 25, 26]), pick(['', '1\0', '1\x002\0']));
  if (script.all && oneIn(4))
    return script.send(on, pick(['READ', 'DIRECTORY', 'GET_PERMS', 'MKDIR', 'RM']), pick(['', 'a', 'a\0b', '/\0\0']));
  // One-path requests stay well-formed: 4.17 answers others with a left-over errno, or aborts.
  const path = pick(['', 'a b', 'a.b', '/a//b', '/a/', '//', '@releaseDomain', '/caf\xe9', 'x/', '/\x7f', '@']);
  script.send(on, pick(['READ', 'DIRECTORY', 'MKDIR', 'RM', 'WRITE']), `${path}\0`);
}

/** A command for the daemon itself. */
export function controlRequest(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const on = script.privileged();
  if (oneIn(4)) {
    const paths = isPathMaxFatal(script) ? [] : ['path-max'];
    const name = pick(['nodes', 'watches', 'transactions', 'node-size', ...paths, 'transaction-nodes', 'nonsense']);
    return script.send(on, 'CONTROL', `quota\0set\0${name}\0${pick(['1000', '200', '60', '30', '0', '-1'])}\0`);
  }
  const words = [
    'help',
    'quota',
    'quota-soft',
    'check',
    'print\0hello',
    'nonsense',
    '',
    'help\0x',
    'check\0x',
    'log\0off',
    'log\0on',
    'quota\x001',
    'quota\x009',
    'quota\0abc',
    ...(script.is422 ? CONTROLS_422 : []),
  ];
  script.send(on, 'CONTROL', `${pick(words)}\0`);
}
