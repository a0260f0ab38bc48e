import { LIBXENSTORE_HABITS, type SocketHabits, strings, type Thread, XS, type XsSocket } from '../../guests/index.ts';
import type { Actor } from '../../sim/index.ts';
import { HEADER_BYTES } from '../../store/protocol/wire.ts';
import type { FaultRule } from './rule.ts';

/** Each death of a toolstack leaves one domain fewer to make traffic. */
const DEATHS_MAX = 3;

/** A tool that is killed writes slowly: there is a moment between two octets of its request. */
const KILLED_HABITS: SocketHabits = { ...LIBXENSTORE_HABITS, tornOneIn: 1, tornNsMax: 40_000 };
/** It is dead by then, its answer there or not. */
const KILLED_NS_MAX = 60_000;

/** A short-lived tool of dom0 asks for something that others would notice, and dies before it has an answer. */
function* killed(me: Thread, client: XsSocket, died: (detail: string) => void): Actor {
  const { draws } = me;
  const path = `/tool/killed-${draws.below(3)}`;
  const [type, payload] = draws.pick([
    [XS.WRITE, strings(path, 'x'.repeat(draws.below(2_000)))],
    [XS.RM, strings(path)],
    [XS.WATCH, strings('/local/domain', me.name)],
    [XS.TRANSACTION_START, strings('')],
    [XS.DIRECTORY, strings('/local/domain')],
  ] as const);
  const pending = client.submit(me, type, payload);
  const deadline = draws.below(KILLED_NS_MAX);
  for (let waited = 0; waited < deadline && pending.reply === undefined; waited += 1_000) yield 1_000;
  const whole = HEADER_BYTES + payload.length;
  const { octetsSent } = client;
  if (pending.reply === undefined)
    died(octetsSent < whole ? `after ${octetsSent} of ${whole} octets` : 'before its answer');
  client.close();
}

/** Faults of the daemon's updates and of dom0's tools. */
export const TOOL_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-T1',
    what: 'live updates are asked for again back to back',
    mustHold: 'each is an update like any other',
    needs: ['updates'],
    oneIn: [1, 3],
    arm: ({ draws, strikes, injected }) => ({
      updates: (moments) =>
        moments.flatMap((at) => {
          if (!strikes()) return [at];
          const again = draws.between(1, 2);
          injected(`${again} more at ${at}`);
          return Array.from({ length: again + 1 }, () => at);
        }),
    }),
  },
  {
    id: 'INJ-T2',
    what: 'the successor cannot parse the image, which is cut off or has an octet of its header changed, or cannot be executed',
    mustHold: 'the old instance goes on as if nothing had been, and its requester is told',
    needs: ['updates', 'ours'],
    oneIn: [1, 3],
    arm: ({ draws, strikes, injected }) => ({
      passImage: (image) => {
        if (!strikes()) return image;
        if (draws.oneIn(2)) {
          const length = draws.below(Math.min(16, image.length));
          injected(`cut off after ${length} octets`);
          return image.slice(0, length);
        }
        const at = draws.below(8); // the ident
        injected(`octet ${at} changed`);
        const broken = image.slice();
        broken[at] = (broken[at] as number) ^ (1 << draws.below(8));
        return broken;
      },
      execFails: () => {
        if (!strikes()) return false;
        injected('exec fails');
        return true;
      },
    }),
  },
  {
    id: 'INJ-T5',
    what: 'the toolstack dies between two operations and leaves a domain half built',
    mustHold: 'what it left stays as it is, in the way of nobody',
    needs: ['builds'],
    oneIn: [3, 12],
    arm: ({ strikes, injected }) => {
      let deaths = 0;
      return {
        toolstackDies: () => {
          if (deaths >= DEATHS_MAX || !strikes()) return false;
          deaths++;
          injected('');
          return true;
        },
      };
    },
  },
  {
    id: 'INJ-T9',
    what: 'a short-lived tool is killed between two octets of its request, or before its answer',
    mustHold: 'the store drops its connection, and what it had not said whole never was',
    needs: ['sockets'],
    oneIn: [1, 6],
    arm: ({ host, draws, strikes, injected }) => {
      let tools = 0;
      return {
        now: {
          everyNs: [100_000, 400_000],
          act: () => {
            if (!strikes() || host.storeDomid !== 0) return; // a stub domain has no sockets
            const name = `killed-${++tools}`;
            host.dom0.os.start(
              name,
              (me) => killed(me, host.socket(name, KILLED_HABITS), injected),
              draws.below(5_000),
            );
          },
        },
      };
    },
  },
];
