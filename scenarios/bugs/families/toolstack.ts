import { ofFamily } from '../bug.ts';

export const TOOLSTACK = ofFamily('toolstack', [
  {
    id: 'B154',
    title: 'Monitor waits for an event that cannot come',
    source: 'libxl; xen d3ec7b04d0 (2012)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/deaths.ts',
        from: 'if (info === undefined || (info.flags & XEN_DOMINF_dying) !== 0)',
        to: 'if (info === undefined)',
      },
    ],
  },
  {
    id: 'B155',
    title: 'Domain number changed in a local copy',
    source: 'xl; xen 817dbc6f30 (2012)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/xl.ts',
        from: 'const action = yield* untilEnd(call, domid, plan);',
        to: 'const action = yield* untilEnd(call, lives[0].built.domain.domid, plan);',
      },
    ],
  },
  {
    id: 'B156',
    title: 'Clean shutdown waits in the event thread',
    source: 'xenopsd with libxl; xenopsd 3c9f2843 (2013)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/xl.ts',
        from: 'const event = yield* deaths.next();',
        to: `yield* call.enter();
const event = yield* deaths.next();
call.leave();`,
      },
    ],
  },
  {
    id: 'B158',
    title: 'Rename changes one of two names',
    source: 'libxl; xen 412f0e6401 (2014)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/domain-tree.ts',
        from: `if ((yield* call.xs.write(\`/vm/\${uuid}/name\`, name, tx)).error !== undefined)
        return 'ERROR_FAIL';`,
        to: '',
      },
    ],
  },
  {
    id: 'B159',
    title: 'Block script takes a guest and its stub domain for two users',
    source: 'hotplug script; xen f3a7ca0240 (2016)',
    observable: 'part',
    changes: [
      {
        file: 'guests/libxl/hotplug-script.ts',
        from: `if ((yield* script.read(\`/local/domain/\${dom}/vm\`)) !== vm)
                return true;`,
        to: `if (\`/local/domain/\${dom}/vm\` !== vm) return true;`,
      },
    ],
    note: 'Whoever has the device is another user, also a former life of the same guest.',
  },
  {
    id: 'B160',
    title: 'Key with the wrong name',
    source: 'libxl, slip in the fix of XSA-178; xen 62b4d4769c (2016)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/hotplug-script.ts',
        from: `const params = yield* script.read(\`\${base}/params\`);`,
        to: `const params = yield* script.read(\`\${base}/param\`);`,
      },
    ],
  },
  {
    id: 'B161',
    title: 'Store domain not set for HVM guests',
    source: 'libxl; xen 0124380fdf; from a2d9a6fa1fcd (2018)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/create.ts',
        from: "const storeDomid = Number((yield* call.read('/tool/xenstored/domid')) ?? 0);",
        to: 'const storeDomid = 0;',
      },
    ],
  },
  {
    id: 'B162',
    title: 'Sleeping on an outdated set of descriptors',
    source: 'libxl events; xen 5a533d0ba5, ba7a0dbb37 (2020)',
    observable: 'part',
    changes: [
      {
        file: 'guests/libxl/call.ts',
        from: `while (!watch.hasEvents && this.nowNs < untilNs)
                    yield PARK;`,
        to: `do yield PARK;
while (!watch.hasEvents && this.nowNs < untilNs);`,
      },
    ],
    note: 'Whoever waits sleeps once more, whatever has come while the lock was let go of.',
  },
  {
    id: 'B163',
    title: 'Backend skips a state and the toolstack waits for it',
    source: 'libxl with Linux netback; xen 0bdc43c8de (2022)',
    observable: 'full',
    changes: [
      { file: 'guests/libxl/device-kinds.ts', from: "['hotplug-status', ''],", to: '' },
      {
        file: 'guests/devices/netback.ts',
        from: 'this.#hotplug = yield* device.bus.watch(device, path, () => this.#hotplugStatus());',
        to: "if ((yield* device.read('hotplug-status')) !== undefined) this.#hotplug = yield* device.bus.watch(device, path, () => this.#hotplugStatus());",
      },
    ],
  },
  {
    id: 'B164',
    title: 'Store errors ignored when creating devices',
    source: 'libxl; xen 531d3bea5e (2024)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-add.ts',
        from: `if (!(yield* step()))
            return 'ERROR_FAIL';`,
        to: 'yield* step();',
      },
    ],
  },
  {
    id: 'S271',
    title: "The toolstack's own tree of a dead domain stays",
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/destroy.ts',
        from: `for (const path of [home, \`/libxl/\${domid}\`, \`/local/domain/\${domid}/hvmloader\`])`,
        to: 'for (const path of [home])',
      },
    ],
  },
  {
    id: 'S272',
    title: "A dead domain's tree below /vm stays",
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/destroy.ts',
        from: `if (vm !== undefined)
        yield* call.xs.rm(vm);`,
        to: '',
      },
    ],
  },
  {
    id: 'S273',
    title: 'Keys of devices have no permissions of their own',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/call.ts',
        from: `if (perms !== undefined && (yield* this.xs.setPerms(\`\${dir}/\${key}\`, perms, tx)).error !== undefined)
                return false;`,
        to: '',
      },
    ],
  },
  {
    id: 'S274',
    title: "A frontend's directory belongs to its backend",
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-add.ts',
        from: "const ofGuest = kind === 'console' && devid === 0 ? backends : guests;",
        to: 'const ofGuest = backends;',
      },
    ],
  },
  {
    id: 'S275',
    title: 'A device that is removed is not taken offline',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-remove.ts',
        from: `if (!(yield* call.writev(backend, [['online', '0']], tx)))
            return 'ERROR_FAIL';`,
        to: '',
      },
    ],
  },
  {
    id: 'S276',
    title: 'The first of the parents that are empty stays',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-remove.ts',
        from: `if ((yield* call.xs.rm(at, tx)).error !== undefined)
            return;`,
        to: 'return;',
      },
    ],
  },
  {
    id: 'S277',
    title: 'A domain is introduced with the port of its console',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/create.ts',
        from: 'strings(String(domid), String(built.ring.gfn), String(built.port))',
        to: 'strings(String(domid), String(built.ring.gfn), String(built.console?.port ?? built.port))',
      },
    ],
  },
  {
    id: 'S278',
    title: 'Devices are added in no transaction',
    source: 'made up: not atomic',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-add.ts',
        from: `return 'ERROR_FAIL';
        yield* genericAdd(call, domid, device, tx);`,
        to: `return 'ERROR_FAIL';
        yield* genericAdd(call, domid, device, 0);`,
      },
    ],
  },
  {
    id: 'S279',
    title: 'A suspend that is taken back leaves its word',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/suspend.ts',
        from: `yield* xs.write(path, '', tx);
        return 'taken back';`,
        to: "return 'taken back';",
      },
    ],
  },
  {
    id: 'S280',
    title: 'The store is not told that a domain goes on',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/suspend.ts',
        from: 'return (yield* xs.call(XS.RESUME, strings(String(domid)))).error;',
        to: 'return undefined;',
      },
    ],
  },
  {
    id: 'S281',
    title: 'Watches of an operation that is over stay',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/call.ts',
        from: `yield* watch.deregister();
        return value`,
        to: 'return value',
      },
    ],
  },
  {
    id: 'S282',
    title: 'A conflict ends an operation',
    source: 'made up: not tried again',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/call.ts',
        from: `if (failed !== 'EAGAIN')
                return options.endsUnchecked === true ? 0 : 'ERROR_FAIL';`,
        to: "if (failed !== undefined) return options.endsUnchecked === true ? 0 : 'ERROR_FAIL';",
      },
    ],
  },
  {
    id: 'S283',
    title: 'A domain that was made is not let run',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/create.ts',
        from: "return call.xl.os.hyper.unpause(domid).ok ? 0 : 'ERROR_FAIL';",
        to: 'return 0;',
      },
    ],
  },
  {
    id: 'S284',
    title: 'A hotplug script says nothing when it is done',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/hotplug-script.ts',
        from: 'script.bridge?.addInterface(vif);',
        to: `script.bridge?.addInterface(vif);
if (fate !== '') return 0;`,
      },
    ],
  },
  {
    id: 'S285',
    title: 'The lock of the block script is kept',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/hotplug-script.ts',
        from: `if (shared.blockLock === self)
            shared.blockLock = undefined;
        waiter`,
        to: 'waiter',
      },
      {
        file: 'guests/libxl/hotplug-script.ts',
        from: `shared.blockLock = undefined;
    return written ? 0 : 1;`,
        to: 'return written ? 0 : 1;',
      },
    ],
  },
]);
