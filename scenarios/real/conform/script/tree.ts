import { DOMIDS, NOBODY, type ScriptState } from './state.ts';
import { somePath, someValue } from './words.ts';

/** Something about nodes. */
export function treeRequest(script: ScriptState, on = script.anyone()): void {
  const tx = script.someTx(on);
  const path = somePath(script, on);
  switch (script.draw.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return script.send(on, 'WRITE', `${path}\0${someValue(script, on)}`, { tx });
    case 4:
    case 5:
      return script.send(on, 'MKDIR', `${path}\0`, { tx });
    case 6:
    case 7:
      return script.send(on, 'RM', `${path}\0`, { tx });
    case 8:
    case 9:
      return script.send(on, 'READ', `${path}\0`, { tx });
    case 10:
      return script.send(on, 'DIRECTORY', `${path}\0`, { tx });
    case 11:
    case 12: {
      const offset = script.draw.pick(['0', '0', '0', '1', '2', '5', '-1', '4000', '007', 'x', ' 3']);
      const tail = script.draw.pick(['', '', '', 'tail', 'tail\0']);
      return script.send(on, 'DIRECTORY_PART', `${path}\0${offset}\0${tail}`, { tx });
    }
    case 13:
      return script.send(on, 'GET_PERMS', `${path}\0`, { tx });
    default:
      return setPerms(script, on, path, tx);
  }
}

function setPerms(script: ScriptState, on: string, path: string, tx: number | string): void {
  const { below, pick, oneIn } = script.draw;
  if (oneIn(12) && script.is422) return setSpecialPerms(script);
  if (!script.is422 && oneIn(12)) {
    // 4.17 answers a refused SET_PERMS of a special path with a left-over errno: privileged and well-formed only.
    const who = script.all ? script.anyone() : script.privileged();
    const entries = pick(['n0', 'n0\0r1', 'n0\0r1\0b2', 'r0', 'b0\0n3']);
    return script.send(who, 'SET_PERMS', `${pick(['@releaseDomain', '@introduceDomain'])}\0${entries}\0`);
  }
  // A node whose owner exists without being introduced ends the daemon at the next live update.
  const owners = script.all ? [0, NOBODY, ...DOMIDS] : [0, NOBODY, ...script.introduced()];
  const self = script.sockets.has(on) ? 0 : Number(on);
  // The root stays dom0's: it dies with its owner, and nobody can do anything after that.
  const owner = path === '/' ? 0 : oneIn(3) ? pick(owners) : self;
  const first = `${pick(['n', 'r', 'w', 'b'])}${owner}`;
  const others = Array.from({ length: below(3) === 0 ? below(7) : below(3) }, () => permission(script));
  const tail = oneIn(12) ? 'tail' : '';
  if (oneIn(40))
    return script.send(on, 'SET_PERMS', pick([`${path}\0`, path, '', `${path}\0z1\0`, `${path}\0n0\0nx\0`]), { tx });
  script.send(on, 'SET_PERMS', `${[path, first, ...others].join('\0')}\0${tail}`, { tx });
}

function permission(script: ScriptState): string {
  const { pick, oneIn } = script.draw;
  if (oneIn(12) && (script.all || !(script.is422 && script.plan.liveUpdates)))
    return pick(['r0x1', 'w010', 'b 2', 'r+3', 'n-1', 'r', 'q1', '']);
  return `${pick(['n', 'r', 'w', 'b'])}${pick(script.nameable())}`;
}

/** The owner stays dom0: a 4.22 crashes when the owner of a special node dies. */
function setSpecialPerms(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const on = oneIn(4) ? script.anyone() : script.privileged();
  const path = pick(['@releaseDomain', '@introduceDomain', '@releaseDomain', '@nothing']);
  const others = [`r${pick(script.nameable())}`, `b${pick(script.nameable())}`].slice(0, script.draw.below(3));
  const owner = script.all ? pick([0, ...script.nameable()]) : 0;
  const entries = [`${pick(['n', 'r', 'w'])}${owner}`, ...others].join('\0');
  script.send(on, 'SET_PERMS', `${path}\0${entries}\0`, { tx: script.someTx(on) });
}
