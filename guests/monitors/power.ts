import type { Actor, Domid } from '../../sim/index.ts';
import type { Me } from '../os.ts';
import { Xs } from '../xs-ops.ts';
import type { MonitorHost, Session } from './host.ts';
import { waitForKey } from './wait-key.ts';

/** How long a guest may take to acknowledge. Source: tools/libs/light/libxl_domain.c, libxl_domain_shutdown. */
const ACK_SECONDS = 60;

/** `xl shutdown`, `xl reboot`: ask, and wait for the acknowledgement; a time-out leaves the request where it is. */
export function* requestPower(
  me: Me,
  host: MonitorHost,
  session: Session,
  domid: Domid,
  command: 'poweroff' | 'reboot' | 'halt',
): Actor<'acked' | 'no ack'> {
  const path = `/local/domain/${domid}/control/shutdown`;
  const written = yield* new Xs(session.link, me).write(path, command);
  if (written.error !== undefined) return 'no ack';
  const isTaken = (value: string | undefined) => value === undefined || value === '';
  return (yield* waitForKey(me, host, session, path, isTaken, ACK_SECONDS)) ? 'acked' : 'no ack';
}
