import { flag, type Scenario, story, text } from '../../story/index.ts';

export const moveTheWatcher: Scenario = story({
  name: 'move-the-watcher',
  story:
    'A guest that waits for a change is moved to another host while it has a watch, and both stores update themselves: its own nodes and its watch are there.',
  worry: 'A guest is migrated just as its host is updated: is the watch by which it waits registered anew?',
  settings: { back: flag(1, '1: it comes home again') },
  faults: false,
  hosts: ['alpha', 'beta'],
  does: () => ({ migrates: true }),
  marks: () => ({ run: ['update', 'migration', 'event'] }),
  tell(story, { back }) {
    const [alpha, beta] = story.hosts;
    if (alpha === undefined || beta === undefined) return;
    const waiting = story.moment('it waits');
    const guest = alpha.guest('waiter', function* (xs, { name }) {
      yield* xs.watch('data', 'mine');
      waiting.comes();
      yield* home.wait(xs.me);
      yield* xs.write('data/late', 'here');
      for (;;) {
        const { path } = yield* xs.nextEvent();
        if (path === 'data/late') break;
      }
      const is = text((yield* xs.read('data/late')).payload);
      story.expect(is === 'here', `data/late is ${is}`, name);
    });
    const updated = alpha.update({ after: waiting });
    const there = story.migrate(guest, beta, { after: updated });
    const again = beta.update({ after: there });
    const home = back === 1 ? story.migrate(guest, alpha, { after: again }) : again;
  },
});
