import { count, type Scenario, story, text, WINDOWS_HABITS } from '../../story/index.ts';

export const windowsGuests: Scenario = story({
  name: 'windows-guests',
  story:
    'Guests whose drivers number requests in 16 bits, wrap around the ring’s end and signal each time, go on through updates of the store.',
  worry: 'The store is right for Linux: do Windows drivers, with other habits, find an answer missing?',
  settings: {
    guests: count(3, { min: 1, max: 40 }, 'guests'),
    writes: count(120, { min: 1, max: 5_000 }, 'writes of each'),
  },
  faults: false,
  does: () => ({ updates: true }),
  marks: () => ({ run: ['update', 'event'], sweep: ['request-cut'] }),
  tell(story, { guests, writes }) {
    const { host } = story;
    let written = 0;
    const after = (share: number) => host.when(`a ${share}th was written`, () => written >= (guests * writes) / share);
    host.update({ after: host.update({ after: after(3) }) });
    for (let n = 0; n < guests; n++)
      host.guest(`windows${n}`, {
        type: 'hvm',
        habits: { ...WINDOWS_HABITS, tornOneIn: 2, tornNsMax: 30_000 },
        *program(xs, { name }) {
          yield* xs.watch('data', 'mine');
          for (let i = 0; i < writes; i++) {
            yield* xs.write(`data/${i % 9}`, `${i} ${'x'.repeat(xs.me.draws.below(700))}`);
            written++;
            const is = text((yield* xs.read(`data/${i % 9}`)).payload);
            story.expect(is.startsWith(`${i} `), `data/${i % 9} is ${is.slice(0, 9)} after ${i} was written`, name);
          }
        },
      });
  },
});
