import { octets, strings, text, XS } from '../../guests/index.ts';
import { STORE_BINARY } from '../../scenarios/engine/host.ts';
import { testHost } from '../support/host.ts';

/** Live-update a store that holds about `nodes` nodes; wall time from the request to the successor's answer. */
export function updatePause(nodes: number): {
  readonly wallMs: number;
  readonly virtualMs: number;
  readonly imageBytes: number;
} {
  const host = testHost({ policy: 'daemon' });
  const { dom0, machine, store } = host;
  let filled = false;
  let wanted = false;
  let answer = '';
  dom0.os.start('fill', function* (me) {
    const perDomain = 50;
    for (let i = 0; i < nodes; i++) {
      const path = `/local/domain/${Math.floor(i / perDomain)}/device/vif/${i % perDomain}`;
      dom0.client.submit(me, XS.WRITE, octets(`${path}\0`, `value-${i}`));
      if (i % 32 === 31) while (dom0.client.inFlight > 0) yield 1_000;
    }
    while (dom0.client.inFlight > 0) yield 1_000;
    filled = true;
    while (!wanted) yield 1_000;
    yield* dom0.client.request(me, XS.CONTROL, strings('live-update', '-f', STORE_BINARY));
    answer = text((yield* dom0.client.request(me, XS.CONTROL, strings('live-update', '-s'))).payload);
  });
  machine.scheduler.runUntil(() => filled, Number.MAX_SAFE_INTEGER, 100_000);
  wanted = true;
  const start = performance.now();
  machine.scheduler.run(Number.MAX_SAFE_INTEGER);
  const wallMs = performance.now() - start;
  const update = store.updates[0];
  if (answer !== 'OK\0' || update === undefined) throw new Error(`live update: ${answer}`);
  return { wallMs, virtualMs: update.pauseNs / 1_000_000, imageBytes: update.imageBytes };
}
