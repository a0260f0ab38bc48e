import type { Actor } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import { Xs, type XsLink } from '../xenstore/index.ts';

/** dom0's own nodes, without which libxl does nothing; once for a host. Source: tools/helpers/xen-init-dom0.c. */
export function* initDom0(me: Me, link: XsLink): Actor {
  const xs = new Xs(link, me);
  const [domid, name] = ['/local/domain/0/domid', '/local/domain/0/name'];
  if ((yield* xs.read(domid)).error === undefined && (yield* xs.read(name)).error === undefined) return;
  yield* xs.write(domid, '0');
  yield* xs.write(name, 'Domain-0');
  yield* xs.write('/local/pool/0/name', 'Pool-0');
}
