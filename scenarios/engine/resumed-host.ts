import {
  type Domain,
  type Frame,
  GNTTAB_RESERVED_XENSTORE,
  loneMachine,
  type Machine,
  NO_JITTER,
  type Port,
  UnixSocket,
} from '../../sim/index.ts';
import { type ConnectionData, decodeImage, formatFailure } from '../../store/format/index.ts';
import { MemoryFiles, type StorePolicy, type StoreProcess, startXenstored } from '../../store/index.ts';
import { STORE_BINARY } from './host.ts';

/** A guest that an image names: its ring page is empty, its indexes are to be set as the guest's memory had them. */
export interface ResumedGuest {
  readonly domain: Domain;
  readonly ring: Frame;
  readonly port: Port;
}

export interface ResumedHost {
  readonly machine: Machine;
  /** By domid; dom0 is one of them if the image names its ring. */
  readonly guests: ReadonlyMap<number, ResumedGuest>;
  /** The clients' ends of the socket connections, by the file descriptor in the image. */
  readonly sockets: ReadonlyMap<number, UnixSocket>;
  /** Begin to serve; called after the guests' ring pages were made what they were. */
  readonly start: () => StoreProcess;
}

/**
 * A host around a recorded image: the domains that it names, with the unique ids, ports and sockets that it says, so that
 * the store goes on with it as the successor of the daemon that wrote it.
 */
export function resumeHost(
  image: Uint8Array,
  options: { readonly compat: '4.22' | '4.17'; readonly policy: StorePolicy },
): { readonly ok: true; readonly host: ResumedHost } | { readonly ok: false; readonly reason: string } {
  const decoded = decodeImage(image);
  if (!decoded.ok) return { ok: false, reason: formatFailure(decoded.failure) };
  const machine = loneMachine({ seed: '1', jitter: NO_JITTER });
  const idOf = (record: ConnectionData) => (record.uniqueId === 0n ? undefined : record.uniqueId);
  const own = decoded.value.records.find(
    (r) => r.kind === 'CONNECTION_DATA' && r.conn.kind === 'ring' && r.conn.domid === 0,
  );
  const dom0 = machine.createDomain(0, 'dom0', own?.kind === 'CONNECTION_DATA' ? idOf(own) : undefined);
  machine.unpause(dom0);
  const guests = new Map<number, ResumedGuest>();
  const clients = new Map<number, UnixSocket>();
  const streams = new Map<number, UnixSocket>();
  for (const record of decoded.value.records) {
    if (record.kind !== 'CONNECTION_DATA') continue;
    if (record.conn.kind === 'socket') {
      const [client, server] = UnixSocket.pair(-1, record.conn.fd);
      clients.set(record.conn.fd, client);
      streams.set(record.conn.fd, server);
      continue;
    }
    const { domid, port: storePort } = record.conn;
    const domain = domid === 0 ? dom0 : machine.createDomain(domid, `dom${domid}`, idOf(record));
    if (domid !== 0) machine.unpause(domain);
    const ring = domain.memory.alloc();
    machine.seedGrant(domain, GNTTAB_RESERVED_XENSTORE, 0, ring);
    const port = domid === 0 ? storePort + 1_000 : 1;
    if (storePort !== 0) machine.connectPorts(dom0, storePort, domain, port);
    guests.set(domid, { domain, ring, port });
  }
  const start = () =>
    startXenstored(machine, dom0, {
      compat: options.compat,
      policy: options.policy,
      listener: undefined,
      files: new MemoryFiles(new Map([[STORE_BINARY, 'executable']])),
      dom0Port: 0,
      resume: { image, sockets: streams },
    });
  return { ok: true, host: { machine, guests, sockets: clients, start } };
}
