import {
  DOMID_INVALID,
  type Domain,
  ERRNO,
  EventFile,
  Hypercalls,
  type Machine,
  type Port,
  REQ_CONS,
  type Result,
  type StoreNews,
  XenError,
} from '../../../sim/index.ts';
import { MESSAGE_NS, type StoreSetup, WRITE_NS } from '../../../store/index.ts';
import { type Answer, CALL, NOTE, POLL, type Words } from './calls.ts';
import { Descriptors } from './descriptors.ts';
import { type Mapped, Rings } from './rings.ts';

/** A descriptor that poll(2) is asked about, and what is ready of it: its index there, events, room for output. */
export type Wanted = readonly [index: number, fd: number, events: number];
export type Ready = readonly [index: number, events: number, room: number];

/** What a kernel does behind the back of its process. */
export interface KernelHooks {
  readonly tell: (news: StoreNews) => void;
  /** Something has come for a client, or a client. */
  readonly socketReady: () => void;
  /** The event channel file can be read. */
  readonly eventReady: () => void;
  /** The process has read these octets. */
  readonly hasRead: (whose: string, octets: Uint8Array) => void;
}

/**
 * What a daemon's process has of its kernel and the hypervisor: its event channel file, mapped pages, descriptors, and what it asks
 * of domains. It belongs to the process, so it outlives an exec, but for the mappings (GNT-14, EVT-30).
 */
export class Kernel {
  readonly descriptors: Descriptors;
  readonly rings: Rings;
  readonly #hyper: Hypercalls;
  readonly #file: EventFile;
  readonly #files: StoreSetup['files'];
  readonly #hooks: KernelHooks;
  /** Read from the event channel file, and handed to the process, which may take it or leave it. */
  #heldPort: Port | undefined;
  readonly #ownerOf = new Map<Port, number>();

  constructor(machine: Machine, domain: Domain, { listener, files }: StoreSetup, hooks: KernelHooks) {
    this.#hyper = new Hypercalls(machine, domain);
    this.#file = new EventFile(machine.events, domain);
    this.#file.onReadable = hooks.eventReady;
    this.#files = files;
    this.#hooks = hooks;
    this.descriptors = new Descriptors(listener, hooks.socketReady);
    this.rings = new Rings(machine, domain, (client, error) => hooks.tell({ phase: 'error-word', client, error }));
  }

  get ports(): readonly Port[] {
    return this.#file.ports;
  }

  get heldPort(): Port {
    return this.#heldPort ?? 0;
  }

  /** Do what the process has done. @returns the virtual ns that it takes. */
  note(kind: number, words: Words): number {
    switch (kind) {
      case NOTE.notify:
        this.#file.notify(words.next());
        return 0;
      case NOTE.unmask:
        this.#file.write([words.next()]);
        return 0;
      case NOTE.store: {
        const [ring, offset, value] = [words.next(), words.next(), words.next()];
        if (offset === REQ_CONS)
          this.#hooks.hasRead(`domain ${this.rings.ownerOf(ring)}`, this.rings.consumed(ring, value));
        this.rings.store(ring, offset, value);
        return MESSAGE_NS / 2;
      }
      case NOTE.put:
        this.rings.put(words.next(), words.next(), words.octets());
        return 0;
      case NOTE.unmap:
        this.rings.unmap(words.next());
        return 0;
      case NOTE.write: {
        const client = this.descriptors.client(words.next());
        const octets = words.octets();
        client?.write(octets, 0, octets.length);
        return WRITE_NS;
      }
      case NOTE.close: {
        const fd = words.next();
        if (fd === this.descriptors.events) this.closePorts();
        this.descriptors.close(fd);
        return 0;
      }
      case NOTE.accept:
        this.descriptors.accept(words.next());
        return 0;
      case NOTE.tookPort:
        words.next();
        this.#heldPort = undefined;
        return 0;
      case NOTE.listen:
        this.descriptors.listen(words.next());
        return 0;
      case NOTE.events:
        this.descriptors.events = words.next();
        return 0;
      case NOTE.unbind: {
        const port = words.next();
        this.#file.unbind(port);
        this.#ownerOf.delete(port);
        this.#hooks.tell({ phase: 'unbound', port });
        return 0;
      }
      default:
        throw new Error(`assertion: note ${kind} of the stand-in`);
    }
  }

  /** Which of those descriptors are ready. */
  ready(wanted: readonly Wanted[]): readonly Ready[] {
    if (this.#heldPort === undefined && this.#file.isReadable) [this.#heldPort] = this.#file.read(1);
    const ready: Ready[] = [];
    for (const [index, fd, events] of wanted) {
      const are = this.descriptors.poll(fd, events, this.#heldPort !== undefined);
      const room = (are & POLL.out) === 0 ? 0 : (this.descriptors.client(fd)?.writable() ?? 0);
      if (are !== 0) ready.push([index, are, room]);
    }
    return ready;
  }

  /** Answer a call that nobody has to wait for. `head`: begins an answer. */
  answer(kind: number, call: Words, head: () => Answer): Answer {
    switch (kind) {
      case CALL.bind: {
        const [domid, remote] = [call.next(), call.next()];
        const port = attempt(() => this.#file.bindInterdomain(domid, remote));
        if (port.ok) {
          this.#ownerOf.set(port.value, domid);
          this.#hooks.tell({ phase: 'bound', port: port.value, remoteDomid: domid });
        }
        return result(head(), port);
      }
      case CALL.virq: {
        const virq = call.next();
        const port = attempt(() => this.#file.bindVirq(virq));
        return result(head(), port);
      }
      case CALL.port: {
        const port = this.#heldPort ?? (this.#file.isReadable ? this.#file.read(1)[0] : 0) ?? 0;
        this.#heldPort = undefined;
        return head().word(port);
      }
      case CALL.map: {
        const [domid, gref] = [call.next(), call.next()];
        return mapped(this.rings.map(domid, gref), head);
      }
      case CALL.mapGfn: {
        const [domid, gfn] = [call.next(), call.next()];
        return mapped(this.rings.mapGfn(domid, gfn), head);
      }
      case CALL.domain: {
        const list = this.#hyper.domctl.getDomainInfoList(call.next(), 1);
        if (!list.ok) return head().word(ERRNO[list.errno]);
        const [found] = list.value;
        const answer = head().word(0);
        return found === undefined ? answer.word(0) : answer.word(1).word(found.domid).word(found.flags);
      }
      case CALL.state:
      case CALL.changed: {
        const state = this.#hyper.domctl.getDomainState(kind === CALL.changed ? DOMID_INVALID : call.next());
        if (!state.ok) return head().word(ERRNO[state.errno]);
        const { domid, state: bits, caps, uniqueId } = state.value;
        const [low, high] = [Number(uniqueId & 0xffff_ffffn), Number(uniqueId >> 32n)];
        return head().word(0).word(domid).word(bits).word(caps).word(low).word(high);
      }
      case CALL.stat: {
        const mode = this.#files.get(call.text());
        if (mode === undefined) return head().word(ERRNO.ENOENT).word(0);
        return head()
          .word(0)
          .word(mode === 'executable' ? 0o100755 : 0o100644);
      }
      case CALL.moved:
        return head();
      default:
        throw new Error(`assertion: call ${kind} of the stand-in`);
    }
  }

  /** What a new image of the process finds: ports with who owns the other end, and descriptors. */
  tellWhatIsOpen(answer: Answer): void {
    const { ports } = this.#file;
    answer.word(ports.length);
    for (const port of ports) {
      const owner = this.#ownerOf.get(port);
      answer.word(port).word(owner === undefined ? OF_NOBODY : owner + 1);
    }
    const open = this.descriptors.all();
    answer.word(open.length);
    for (const [fd, kind] of open) answer.word(fd).word(kind);
  }

  /** The event channel file is closed: all its ports are. */
  closePorts(): void {
    for (const port of this.#file.ports) {
      this.#file.unbind(port);
      this.#hooks.tell({ phase: 'unbound', port });
    }
    this.#file.release();
    this.#heldPort = undefined;
  }

  /** Another process goes on with what is open; a VIRQ is bound anew there. */
  handOver(): void {
    for (const port of this.#file.ports) {
      if (this.#ownerOf.has(port)) continue;
      this.#file.unbind(port);
      this.#hooks.tell({ phase: 'unbound', port });
    }
    this.#file.onReadable = undefined;
    this.#heldPort = undefined;
    this.rings.handOver();
  }

  /** The process is no more. */
  end(): void {
    this.closePorts();
    this.rings.unmapAll();
    this.descriptors.end();
  }
}

/** Stands for the owner of a port that is no domain's, such as a VIRQ's. */
const OF_NOBODY = 0xffff_ffff;

function attempt<T>(call: () => T): Result<T> {
  try {
    return { ok: true, value: call() };
  } catch (error) {
    if (error instanceof XenError) return { ok: false, errno: error.errno };
    throw error;
  }
}

function result(answer: Answer, of: Result<number>): Answer {
  return of.ok ? answer.word(0).word(of.value) : answer.word(ERRNO[of.errno]).word(0);
}

function mapped(of: Mapped, head: () => Answer): Answer {
  const answer = head();
  return of.ok ? answer.word(0).word(of.ring).raw(of.octets, 0, of.octets.length) : answer.word(ERRNO[of.errno]);
}
