import { ofFamily } from '../bug.ts';

export const EVENT_CHANNEL = ofFamily('event channel', [
  {
    id: 'B121',
    title: 'Poll not woken if the port is bound elsewhere',
    source: 'hypervisor; xen 6553807e77 (2006)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/ports.ts',
        from: 'if (vcpu !== undefined && (vcpu.polled === -1 || vcpu.polled === port))',
        to: 'if (vcpu !== undefined && vcpu.id === this.notifyVcpu(port) && (vcpu.polled === -1 || vcpu.polled === port))',
      },
    ],
  },
  {
    id: 'B122',
    title: 'Pending event cleared at bind',
    source: 'mini-os; mini-os eb4f87e (2008)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/ports.ts',
        from: `this.kernel.install(port, handler, service);
        if (handler === undefined ||`,
        to: `this.kernel.install(port, handler, service);
if (handler !== undefined && this.isUsable(port)) this.#abi.clearPending(port);
        if (handler === undefined ||`,
      },
    ],
  },
  {
    id: 'B123',
    title: 'Stale pending bit over close and bind',
    source: 'hypervisor; xen 120785c177 (2008)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/ports.ts',
        from: `if (this.isUsable(port))
                this.#abi.clearPending(port);
            this.#channels[port] = undefined;`,
        to: 'this.#channels[port] = undefined;',
      },
    ],
  },
  {
    id: 'B125',
    title: 'FIFO: event that is the old tail corrupts queues',
    source: 'hypervisor; xen e33d4257fc (2014)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/fifo.ts',
        from: `if (this.#tails[old] === port)
            this.#tails[old] = 0;`,
        to: '',
      },
    ],
  },
  {
    id: 'B126',
    title: 'FIFO: vCPU without a control block',
    source: 'hypervisor, XSA-107; xen a4e0cea6fc (2014)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/fifo.ts',
        from: `if (block === undefined)
            return 'dropped';`,
        to: "if (block === undefined) throw new TypeError('no control block');",
      },
    ],
  },
  {
    id: 'B127',
    title: 'Port reused while still linked',
    source: 'hypervisor; xen 78e24c269b (2015)',
    observable: 'full',
    changes: [
      { file: 'sim/events/fifo.ts', from: 'return (this.word(port) & FIFO_LINKED) !== 0;', to: 'return port < 0;' },
    ],
  },
  {
    id: 'B128',
    title: 'Port removed while being handled',
    source: 'Linux, XSA-331; linux 073d0552ead5 (2020)',
    observable: 'part',
    changes: [
      {
        file: 'sim/events/receive.ts',
        from: 'this.#handlers[port] = run === undefined ? undefined : { run, service };',
        to: 'if (run !== undefined) this.#handlers[port] = { run, service };',
      },
    ],
  },
  {
    id: 'B129',
    title: 'FIFO event unmasked twice',
    source: 'Linux, XSA-332; linux f01337197419; 2-level companion 4d3fe31bd993 (2020)',
    observable: 'part',
    changes: [
      {
        file: 'sim/events/receive.ts',
        from: `case 'lateeoi':
                abi.mask(port);
                abi.clearPending(port);
                handler.run();
                return;`,
        to: `case 'lateeoi':
  abi.clearPending(port);
  handler.run();
  return;`,
      },
    ],
  },
  {
    id: 'B130',
    title: 'FIFO control block published before its heads are set',
    source: 'hypervisor, XSA-358; xen c5e63651fd (2020)',
    observable: 'part',
    changes: [
      {
        file: 'sim/events/ports.ts',
        from: 'this.#fifo.setBlock(vcpu, { bytes, gfn, at: offset });',
        to: `this.#fifo.setBlock(vcpu, { bytes, gfn, at: offset });
this.context.after(2_000, () => bytes.fill(0, offset, offset + CONTROL_BYTES));`,
      },
    ],
  },
  {
    id: 'B131',
    title: 'FIFO: PENDING set although the event is not queued',
    source: 'hypervisor; xen 8aa0e9d2d1 (2022)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/fifo.ts',
        from: `if (block === undefined)
            return 'dropped';
        const at = wordAt(port);`,
        to: `const at = wordAt(port);
if (block === undefined) {
  store32(bytes, at, load32(bytes, at) | FIFO_PENDING);
  return 'dropped';
}`,
      },
      {
        file: 'sim/events/fifo.ts',
        from: `if (this.#context().queueContended(port))
            return 'dropped';`,
        to: `if (this.#context().queueContended(port)) {
  store32(bytes, wordAt(port), load32(bytes, wordAt(port)) | FIFO_PENDING);
  return 'dropped';
}`,
      },
    ],
  },
  {
    id: 'B132',
    title: 'Handler of a global interrupt set to a dying domain',
    source: 'hypervisor; xen 4d8acc9c1c; from 87521589aa6a (2025)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/events.ts',
        from: `if (domain.dying !== 'alive')
            fail('EINVAL', \`domain \${domain.domid} is dying\`);
        const present`,
        to: 'const present',
      },
    ],
  },
  {
    id: 'B133',
    title: 'Handler of a global interrupt taken away silently',
    source: 'hypervisor; xen 980822c5ed; the fix had its own fault, bb1accab69 (2025)',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/events.ts',
        from: `if (present !== undefined && present.ports.vcpu(0).virqPorts[virq] !== 0)
            fail('EBUSY', \`virq \${virq} is bound\`);`,
        to: '',
      },
    ],
  },
  {
    id: 'S221',
    title: 'Every fiftieth event is lost',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/ports.ts',
        from: 'raise(port) {',
        to: `raise(port) {
  this.raised = (this.raised ?? 0) + 1;
  if (this.raised % 50 === 0) return 'dropped';`,
      },
    ],
  },
  {
    id: 'S222',
    title: 'Every fiftieth event goes to the next port',
    source: 'made up: wrong owner',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/events.ts',
        from: 'outcome = remote.raise(remotePort);',
        to: `{
  this.sent = (this.sent ?? 0) + 1;
  outcome = remote.raise(this.sent % 50 === 0 ? remotePort + 1 : remotePort);
}`,
      },
    ],
  },
  {
    id: 'S223',
    title: 'The peer of a closed port stays bound',
    source: 'made up: not rolled back',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/events.ts',
        from: "channel.remote.set(peer, { state: 'unbound', remoteDomid: owner.domid });",
        to: '',
      },
    ],
  },
  {
    id: 'S224',
    title: 'A bind raises nothing',
    source: 'made up: dropped',
    observable: 'full',
    changes: [{ file: 'sim/events/events.ts', from: 'caller.ports.raise(port);', to: '' }],
  },
  {
    id: 'S225',
    title: 'What came while a port was masked is forgotten',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/two-level.ts',
        from: `if (testAndClearBit(this.#words, MASK_AT, port) && testBit(this.#words, PENDING_AT, port))
            this.#select(port, vcpu);`,
        to: 'testAndClearBit(this.#words, MASK_AT, port);',
      },
    ],
  },
  {
    id: 'S226',
    title: 'Every third change of a domain raises no VIRQ',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'sim/domains/lives.ts',
        from: 'this.#needs.events.raiseGlobal(VIRQ_DOM_EXC);',
        to: `this.changes = (this.changes ?? 0) + 1;
if (this.changes % 3 !== 0) this.#needs.events.raiseGlobal(VIRQ_DOM_EXC);`,
      },
    ],
  },
  {
    id: 'S227',
    title: 'Ports of a dead domain stay open',
    source: 'made up: leaked',
    observable: 'full',
    changes: [
      {
        file: 'sim/domains/lives.ts',
        from: 'events.close(domain, port, false);',
        to: 'if (port < 0) events.close(domain, port, false);',
      },
    ],
  },
  {
    id: 'S228',
    title: "An upcall's flag is cleared after the words were read",
    source: 'made up: swapped',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/receive.ts',
        from: `vcpu.upcallPending = false;
        const { fifo } = this.#ports;
        if (fifo === undefined)
            this.#scanBits(vcpu);`,
        to: `const { fifo } = this.#ports;
if (fifo === undefined) this.#scanBits(vcpu);
vcpu.upcallPending = false;
if (fifo === undefined) return;`,
      },
    ],
  },
  {
    id: 'S229',
    title: 'Only the first port of a word is served',
    source: 'made up: off by one',
    observable: 'full',
    changes: [
      {
        file: 'sim/events/receive.ts',
        from: 'this.serve(8 * octet + lowest(ready));',
        to: `{
  this.serve(8 * octet + lowest(ready));
  break;
}`,
      },
    ],
  },
  {
    id: 'S230',
    title: 'A domain that goes on does not look for what came meanwhile',
    source: 'made up: dropped',
    observable: 'full',
    changes: [{ file: 'sim/domains/lives.ts', from: 'domain.ports.enter();', to: '' }],
  },
  {
    id: 'S231',
    title: 'Which domain has changed is not noted',
    source: 'made up: dropped',
    observable: 'full',
    changes: [
      {
        file: 'sim/domains/lives.ts',
        from: `this.changed.mark(domid);
        this.#needs`,
        to: 'this.#needs',
      },
    ],
  },
]);
