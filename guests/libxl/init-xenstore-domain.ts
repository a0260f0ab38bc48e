import type { Actor } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import { Xs, type XsLink } from '../xenstore/index.ts';
import { MEMORY_KB } from './domain-config.ts';

/** What the nodes of a xenstore stub domain say; nothing of it where the store is a daemon of dom0. Without the first one a
 *  toolstack would make the store ports of its guests for dom0. Source: main() in tools/helpers/init-xenstore-domain.c. */
export function* initXenstoreDomain(me: Me, link: XsLink, domid: number, name: string): Actor {
  const xs = new Xs(link, me);
  const home = `/local/domain/${domid}`;
  for (const [path, value] of [
    ['/tool/xenstored/domid', String(domid)],
    [`${home}/domid`, String(domid)],
    [`${home}/name`, name],
    [`${home}/memory/target`, String(MEMORY_KB)],
    [`${home}/memory/static-max`, String(MEMORY_KB)],
  ] as const)
    yield* xs.write(path, value);
}
