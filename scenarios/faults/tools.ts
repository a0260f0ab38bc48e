import type { FaultRule } from './rule.ts';

/** Each death of a toolstack leaves one domain fewer to make traffic. */
const DEATHS_MAX = 3;

/** Faults of the daemon's updates and of dom0's tools. */
export const TOOL_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-T1',
    what: 'live updates are asked for again back to back',
    mustHold: 'each is an update like any other',
    oneIn: [1, 3],
    arm: ({ draws, strikes, injected }) => ({
      updates: (atRequests) =>
        atRequests.flatMap((at) => {
          if (!strikes()) return [at];
          const again = draws.between(1, 2);
          injected(`${again} more at ${at} requests`);
          return Array.from({ length: again + 1 }, () => at);
        }),
    }),
  },
  {
    id: 'INJ-T2',
    what: 'the successor cannot parse the image, which is cut off or has an octet of its header changed, or cannot be executed',
    mustHold: 'the old instance goes on as if nothing had been, and its requester is told',
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
];
