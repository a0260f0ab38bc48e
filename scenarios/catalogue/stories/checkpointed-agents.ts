import { count, resumeGuest, type Scenario, story, suspendGuest, text } from '../../story/index.ts';

export const checkpointedAgents: Scenario = story({
  name: 'checkpointed-agents',
  story:
    'Agents report every now and then while their guests are suspended for a checkpoint and go on where they were, and the store updates itself meanwhile.',
  worry:
    'A backup suspends a guest in the middle of its reports, and the store is updated: does its agent hear its answer?',
  settings: {
    guests: count(3, { min: 1, max: 40 }, 'guests with an agent'),
    checkpoints: count(2, { min: 0, max: 20 }, 'suspends of each'),
  },
  faults: false,
  does: () => ({ updates: true }),
  marks: ({ checkpoints }) => ({ run: ['update', ...(checkpoints > 0 ? (['resume'] as const) : [])] }),
  tell(story, { guests, checkpoints }) {
    const { host } = story;
    const over = story.moment('all checkpoints are made');
    let left = guests;
    for (let n = 0; n < guests; n++) {
      const guest = host.guest(`agent${n}`, {
        listens: true,
        *program(xs, { name }) {
          for (let i = 0; !over.hasCome; i++) {
            yield* xs.write('data/meminfo_free', String(i));
            const is = text((yield* xs.read('data/meminfo_free')).payload);
            story.expect(is === String(i), `reported ${i}, and the store says ${is}`, name);
            yield xs.me.draws.below(400_000);
          }
        },
      });
      host.program(`backup${n}`, function* (xs) {
        yield* guest.isUp.wait(xs.me);
        yield 2_000_000;
        for (let i = 0; i < checkpoints; i++) {
          const { kind } = yield* suspendGuest(xs, host.host.dom0.os, { domid: guest.domid });
          story.expect(kind === 'suspended', `the guest is ${kind}`, guest.name);
          yield xs.me.draws.below(2_000_000);
          yield* resumeGuest(xs, host.host.dom0.os, { domid: guest.domid, how: 'fast' });
          yield xs.me.draws.below(1_000_000);
        }
        if (--left === 0) over.comes();
      });
    }
    const suspended = () => host.guests.some((each) => each.hasBegun && !each.guest.os.domain.isRunning);
    host.update({ after: host.when('somebody is suspended', () => suspended() || over.hasCome) });
  },
});
