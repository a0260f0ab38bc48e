import { marks, type Scenario, scenario } from '../../engine/scenario.ts';
import { fifoKernel, pollingKernel, twoLevelKernel, VCPUS } from '../trials/events.ts';
import { claimsVirq, passingDomains, versionKernel } from '../trials/grants.ts';
import { Trials } from '../trials/trial.ts';
import { ordinary } from './ordinary.ts';
import { type Cast, play, playDoes, playSettings } from './play.ts';

export const kernelTrials: Scenario = scenario({
  name: 'kernel-trials',
  story:
    'Kernels of all kinds try the calls of the hypervisor beside their traffic: events by FIFO and by bits, polls, other versions of grants, copies that are handed on; each answer and each event is the one that is due.',
  worry: 'Do event channels and grants hold under kernels that use all of their ABI, while the store is updated?',
  settings: playSettings(6, 3_000, 2),
  does: (settings) => playDoes(settings, { transacts: true }),
  marks: ({ updates }) =>
    marks({ run: { update: updates > 0, commit: true }, sweep: { 'transaction-carried': updates > 0 } }),
  run: (request) => {
    const trials = new Trials();
    const kernels: readonly Cast['works'][] = [
      { fifo: fifoKernel(trials) },
      { bits: twoLevelKernel(trials), poll: pollingKernel(trials) },
      { versions: versionKernel(trials) },
    ];
    return play(request, {
      scenario: kernelTrials.name,
      domain: () => ({ vcpus: VCPUS }),
      verdicts: () => trials.verdicts,
      guest: (slot) => {
        const cast = ordinary(slot);
        return { ...cast, works: { ...kernels[slot % kernels.length], ...cast.works } };
      },
      dom0: {
        trials: function* ({ me }, host) {
          while (!host.traffic.stopping && host.machine.domain(1) === undefined) yield 50_000;
          yield* claimsVirq(trials, host, me.name, 1);
          yield* passingDomains(trials, host, me.name, me.draws);
        },
      },
    });
  },
});
