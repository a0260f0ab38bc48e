import { ofFamily } from '../bug.ts';

export const DRIVER_HANDSHAKE = ofFamily('driver handshake', [
  {
    id: 'B134',
    title: 'Watch during resume connects the old way',
    source: 'Linux blkfront; linux-2.6-xen (in xen) b4c7ff25ae (2005)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkfront.ts',
        from: `this.#withdraw(false);
        this.#mustClose = !isThere;
        if (isThere)
            yield* this.#talk();`,
        to: `this.#mustClose = !isThere;
if (isThere) yield* this.#device.writeState(XenbusState.Connected);`,
      },
    ],
  },
  {
    id: 'B135',
    title: 'Consumer index moved after the response',
    source: 'Linux blkback; linux-2.6-xen (in xen) ad7f8262e3 (2005)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'if (ring.shouldNotify(before, after)) {',
        to: 'if (ring.shouldNotify(before, after) && this.#inFlight > 1) {',
      },
    ],
    note: 'What is being answered is taken for a request that waits.',
  },
  {
    id: 'B136',
    title: 'Clean-up by name prefix',
    source: 'Linux xenbus; linux-2.6-xen (in xen) 723bbd528f (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/xenbus.ts',
        from: `if (nodename === path || nodename.startsWith(\`\${path}/\`))`,
        to: 'if (nodename.startsWith(path))',
      },
    ],
  },
  {
    id: 'B137',
    title: 'Cached state survives resume',
    source: 'Linux xenbus, frontends; linux-2.6-xen (in xen) f9eb14bf6a, 42aaf2e8b4 (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/xenbus-device.ts',
        from: `this.state = XenbusState.Initialising;
        this.#stateNs = os.machine.nowNs;
        this.#seen`,
        to: `this.#stateNs = os.machine.nowNs;
        this.#seen`,
      },
    ],
  },
  {
    id: 'B138',
    title: "Watch set before the driver's own resume step",
    source: 'Linux xenbus; linux-2.6-xen (in xen) 9f640de2b0 (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/xenbus.ts',
        from: `if (found !== undefined)
                registered.otherend = yield* this.#watchOtherend(device, driver);`,
        to: `if (found !== undefined) {
  const token = yield* this.#watchOtherend(device, driver);
  registered.otherend = token;
  const run = this.#handlers.get(token);
  let isFirst = true;
  this.#handlers.set(token, function* (path) {
    if (!isFirst) yield* run(path);
    isFirst = false;
  });
}`,
      },
    ],
  },
  {
    id: 'B139',
    title: 'Backend destroyed when a frontend starts again',
    source: 'Linux netback, blkback; linux-2.6-xen (in xen) 7d0aeaacea (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback.ts',
        from: `if (!(yield* device.isOnline()))
                    device.isUnregistered = true;`,
        to: 'device.isUnregistered = true;',
      },
      {
        file: 'guests/devices/netback.ts',
        from: `if (!(yield* this.#device.isOnline()))
                    this.#device.isUnregistered = true;`,
        to: 'this.#device.isUnregistered = true;',
      },
    ],
  },
  {
    id: 'B140',
    title: 'Features read before the backend has written them',
    source: 'Linux netfront; linux-2.6-xen (in xen) ad5b45d12e (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netfront.ts',
        from: 'return new Netfront(device, this.#options);',
        to: `device.copies = yield* device.numberOther('feature-rx-copy', 0);
return new Netfront(device, this.#options);`,
      },
      {
        file: 'guests/devices/netfront.ts',
        from: "if ((yield* device.numberOther('feature-rx-copy', 0)) !== 1) {",
        to: 'if (device.copies !== 1) {',
      },
    ],
  },
  {
    id: 'B141',
    title: 'Closing before connection',
    source: 'Linux netfront, blkfront; linux-2.6-xen (in xen) 937f23487a, f665678307 (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/frontend-states.ts',
        from: `else
                    yield* this.#steps.close();
                return;
            case XenbusState.Closed:`,
        to: `else if (device.state === XenbusState.Connected) yield* this.#steps.close();
                return;
            case XenbusState.Closed:`,
      },
    ],
  },
  {
    id: 'B142',
    title: 'Repeated event connects twice',
    source: 'Linux netfront; linux-2.6-xen (in xen) 65a186bbcb (2006)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/frontend-states.ts',
        from: `if (!this.isReopening)
                    yield* this.#steps.connected();`,
        to: `if (!this.isReopening) {
  if (device.state === XenbusState.Connected) yield* this.#steps.talk();
  yield* this.#steps.connected();
}`,
      },
    ],
  },
  {
    id: 'B143',
    title: 'Frontend waits for one change instead of for Closed',
    source: 'mini-os frontends; mini-os 2ec74ac (2010)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/frontend-states.ts',
        from: `if (this.#reopening === 'closing')
                    yield* device.switchState(XenbusState.Closed);
                else`,
        to: `if (this.#reopening === 'closing') {
  this.#steps.withdraw();
  this.#reopening = 'waiting';
  yield* device.switchState(XenbusState.Initialising);
} else`,
      },
    ],
  },
  {
    id: 'B144',
    title: 'Requeued requests lose their tags',
    source: 'Windows xenvbd; win-xenvbd fdc69c3 (2014)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkfront-requests.ts',
        from: 'this.#onRing.clear();',
        to: `this.lost = (this.lost ?? 0) + unanswered.length;
this.#onRing.clear();`,
      },
      {
        file: 'guests/devices/blkfront-requests.ts',
        from: 'for (; ring.free > 0; put++) {',
        to: 'for (; ring.free > (this.lost ?? 0); put++) {',
      },
    ],
    note: 'As many slots are left empty as there were requests that were asked again.',
  },
  {
    id: 'B145',
    title: 'Fewer receive requests put back than taken',
    source: 'mini-os netfront; mini-os 7c8f348, then 5c70e2a (2016) (2014)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netfront-rx.ts',
        from: 'const wanted = Math.min(this.#wanted, rx.slots) - this.#buffers.size;',
        to: 'const wanted = Math.min(this.#wanted, rx.slots) - this.#buffers.size - (this.lost ?? 0);',
      },
      {
        file: 'guests/devices/netfront-rx.ts',
        from: 'const packet = joined(parts);',
        to: `const packet = joined(parts);
this.lost = (this.lost ?? 0) + 1;`,
      },
    ],
  },
  {
    id: 'B146',
    title: 'Frontend transmits before the backend is Connected',
    source: 'mirage netfront; mirage-net-xen 620c041 (2015)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netfront.ts',
        from: `if (isOn() && this.#isConnected)
                yield* this.#tx.transmit(me, rings);`,
        to: 'if (isOn()) yield* this.#tx.transmit(me, rings);',
      },
    ],
  },
  {
    id: 'B147',
    title: 'Grants leaked for part of a packet',
    source: 'Linux netback; linux 99e87f56b48f (2019)',
    observable: 'part',
    changes: [
      {
        file: 'guests/devices/netback-queue.ts',
        from: 'hyper.unmapGrant(handle);',
        to: 'if (i === 0) hyper.unmapGrant(handle);',
      },
    ],
    note: 'Of each packet of several pieces, as the mapping of a piece is undone at once here.',
  },
  {
    id: 'B148',
    title: 'Removal waits for Closing after Closed',
    source: 'Linux netfront; linux c2c633106453 (2020)',
    observable: 'full',
    changes: [
      {
        file: 'guests/libxl/device-remove.ts',
        from: `rc = yield* call.devstate(\`\${backend}/state\`, CLOSED, DESTROY_TIMEOUT_NS);`,
        to: `rc = yield* call.devstate(\`\${backend}/state\`, 5, DESTROY_TIMEOUT_NS);`,
      },
    ],
    note: 'Of whoever waits at the toolstack: the removal of a device.',
  },
  {
    id: 'B150',
    title: 'Transmit queues not stopped in migration',
    source: 'Linux netfront; linux 042b2046d0f0 (2021)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netfront.ts',
        from: 'const isOn = () => !rings.isWithdrawn && !this.#isBroken && !this.#states.isReopening && !freezer.isFrozen;',
        to: 'const isOn = () => !this.#isBroken && !this.#states.isReopening;',
      },
    ],
  },
  {
    id: 'B151',
    title: 'Stall never detected; queue without a limit',
    source: 'Linux netback, XSA-392; linux 6032046ec4b7 (from 1d5d48523900), be81992f9086 (from f48da8b14d04) (2021)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netback-queue.ts',
        from: `else if (this.#waitingBytes + packet.length > RX_QUEUE_BYTES_MAX)
            this.#drop(packet, 'rx queue full');`,
        to: '',
      },
    ],
  },
  {
    id: 'B152',
    title: 'Use of a grant queried, then ended',
    source:
      'Linux blkfront, netfront, xenbus, XSA-396; linux abf1fd5919d6, 31185df7e2b1, 66e3531b33ee, 3777ea7bac31 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/grant-pool.ts',
        from: `if (endAccess(this.#table, gref)) {
            this.#free.push(gref);
            return true;
        }`,
        to: `endAccess(this.#table, gref);
if (gref >= 0) {
            this.#free.push(gref);
            return true;
        }`,
      },
    ],
  },
  {
    id: 'B153',
    title: 'Transmit responses produced without the lock',
    source: 'Linux netback; linux 7b55984c96ff; from 210c34dcd8d9 (2024)',
    observable: 'part',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: `encodeResponse(response, ring.fill());
        const before = ring.publish();`,
        to: `const at = ring.prodPvt;
yield STORE_NS;
encodeResponse(response, ring.slot(at));
ring.prodPvt = (at + 1) >>> 0;
const before = ring.publish();`,
      },
    ],
    note: 'Of blkback, whose answers come from two actors.',
  },
  {
    id: 'S241',
    title: 'Large requests go to the next sector',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'const window = disk.window(sector, sectors);',
        to: 'const window = disk.window(sectors > 8 ? sector + 1 : sector, sectors);',
      },
    ],
  },
  {
    id: 'S242',
    title: 'Every fortieth request is answered twice',
    source: 'made up: doubled',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'yield* this.#respond({ id: request.id, operation: request.operation, status });',
        to: `this.answers = (this.answers ?? 0) + 1;
yield* this.#respond({ id: request.id, operation: request.operation, status });
if (this.answers % 40 === 0) {
  this.#inFlight++;
  yield* this.#respond({ id: request.id, operation: request.operation, status });
}`,
      },
    ],
  },
  {
    id: 'S243',
    title: 'Every fortieth request is not answered',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'yield* this.#respond({ id: request.id, operation: request.operation, status });',
        to: `this.answers = (this.answers ?? 0) + 1;
if (this.answers % 40 !== 0) yield* this.#respond({ id: request.id, operation: request.operation, status });`,
      },
    ],
  },
  {
    id: 'S244',
    title: 'A request that failed is answered as good',
    source: 'made up: wrong answer',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'return ok ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;',
        to: 'return BLKIF_RSP_OKAY;',
      },
    ],
  },
  {
    id: 'S245',
    title: 'A barrier does not wait for those before it',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'if (barrier === undefined || barrier.isReleased || this.#inFlight > 1)',
        to: 'if (barrier === undefined || barrier.isReleased)',
      },
    ],
  },
  {
    id: 'S246',
    title: 'Persistent pages stay mapped',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback-ring.ts',
        from: 'if (this.#persistent.size > 0)',
        to: 'if (this.#persistent.size > 1_000)',
      },
    ],
  },
  {
    id: 'S247',
    title: 'Every thirtieth packet is lost',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netback-queue.ts',
        from: 'this.#waiting.push(packet);',
        to: `this.packets = (this.packets ?? 0) + 1;
if (this.packets % 30 !== 0) this.#waiting.push(packet);`,
      },
    ],
  },
  {
    id: 'S248',
    title: 'Every thirtieth packet is delivered twice',
    source: 'made up: doubled',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netback-queue.ts',
        from: 'this.#waiting.push(packet);',
        to: `this.packets = (this.packets ?? 0) + 1;
if (this.packets % 30 === 0) {
  this.#waiting.push(packet);
  this.#waitingBytes += packet.length;
}
this.#waiting.push(packet);`,
      },
    ],
  },
  {
    id: 'S249',
    title: 'Packets of several pages end one octet early',
    source: 'made up: truncated',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netback-queue.ts',
        from: 'const part = packet.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);',
        to: 'const part = packet.subarray(i * PAGE_BYTES, Math.min((i + 1) * PAGE_BYTES, packet.length - (buffers > 1 ? 1 : 0)));',
      },
    ],
  },
  {
    id: 'S250',
    title: 'Pages of sent packets stay granted',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netfront-tx.ts',
        from: `if (!this.#device.kernel.grants.end(buffer.gref))
                this.#broken('backend still has a granted page');
            else
                spare.push(buffer.frame);`,
        to: 'void spare;',
      },
    ],
  },
  {
    id: 'S251',
    title: 'The first of the requests that are asked again is lost',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkfront-requests.ts',
        from: 'this.#queue.unshift(...unanswered.map(({ io }) => io));',
        to: 'this.#queue.unshift(...unanswered.slice(1).map(({ io }) => io));',
      },
    ],
  },
  {
    id: 'S252',
    title: 'Requests are asked again in another order',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkfront-requests.ts',
        from: 'this.#queue.unshift(...unanswered.map(({ io }) => io));',
        to: 'this.#queue.unshift(...unanswered.map(({ io }) => io).reverse());',
      },
    ],
  },
  {
    id: 'S253',
    title: 'An event is sent for every other item',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'sim/io-ring.ts',
        from: 'return (after - event) >>> 0 < (after - before) >>> 0;',
        to: 'return (after - event) >>> 0 < (after - before - 1) >>> 0;',
      },
    ],
  },
  {
    id: 'S254',
    title: 'Whoever sleeps asks for the event of the item after the next',
    source: 'made up: off by one',
    observable: 'full',
    changes: [{ file: 'sim/io-ring.ts', from: '(this.cons + left + 1) >>> 0', to: '(this.cons + left + 2) >>> 0' }],
  },
  {
    id: 'S255',
    title: "A closed disk's ring stays mapped",
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback.ts',
        from: `os.closePort(attached.port);
        hyper.unmapGrant(attached.handle);`,
        to: `os.closePort(attached.port);
void hyper;`,
      },
    ],
  },
  {
    id: 'S256',
    title: "A closed interface's ports stay bound",
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/netback.ts',
        from: `os.closePort(port);
        }
        os`,
        to: `}
        os`,
      },
    ],
  },
  {
    id: 'S257',
    title: 'A backend does not answer a close',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback.ts',
        from: `yield* this.#detach();
                yield* device.switchState(XenbusState.Closed);`,
        to: 'yield* this.#detach();',
      },
    ],
  },
  {
    id: 'S258',
    title: "A disk's new size is not told",
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkback.ts',
        from: "yield* device.writeState(XenbusState.Connected, [['sectors', String(this.#disk.sectors)]]);",
        to: '',
      },
    ],
  },
  {
    id: 'S259',
    title: 'A frontend says that it is connected before its keys are there',
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkfront.ts',
        from: `const isDone = yield* device.writeAll([
            ['ring-ref'`,
        to: `yield* device.switchState(XenbusState.Initialised);
const isDone = yield* device.writeAll([
            ['ring-ref'`,
      },
    ],
  },
  {
    id: 'S260',
    title: "The ring's reference is that of another page",
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'guests/devices/blkfront.ts',
        from: "['ring-ref', String(gref)],",
        to: "['ring-ref', String(gref ^ 1)],",
      },
    ],
  },
]);
