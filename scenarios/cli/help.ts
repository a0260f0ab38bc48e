import type { Command } from 'commander';

/** What people come for, in the order in which `--help` tells it; each command with one example that works as it stands. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Run a scenario:': {
    list: 'xenarium list --faults',
    run: 'xenarium run live-update-mid-traffic --seed 7 --set faults=swarm',
    drive: `echo '{"socket": "a"}' | xenarium drive -`,
    exhaust: 'xenarium exhaust docs/canon/01-transaction.jsonl',
    script: 'xenarium script from-log /var/log/xen/xenstored-trace.log',
  },
  'Hunt a failure:': {
    sweep: 'xenarium sweep all --minutes 30 --base failures',
    worker: 'xenarium worker --queue redis://10.0.0.1:6379',
    replay: 'xenarium replay XS1-…',
    shrink: 'xenarium shrink XS1-… --test failure.test.ts',
    show: 'xenarium show XS1-… --around 812',
    verify: 'xenarium verify hostile-guests --seed 3',
    bugs: 'xenarium bugs hunt B081',
  },
  'Formats of the state image:': {
    image: 'xenarium image annotate state.img',
    format: 'xenarium format compare G3.2 G4.1',
    matrix: 'xenarium matrix --format G4.1',
  },
  'Real daemons:': {
    serve: 'xenarium serve --socket /tmp/xenstored.sock',
    takeover: 'xenarium takeover --state state.img -- --no-fork',
    conform: 'xenarium conform --daemon /usr/lib/xen-4.17/bin/xenstored --seeds 1..20',
  },
};

/** Put each command of a program under what it is for, and its example under its help. Errors: none. */
export function group(program: Command): void {
  for (const [heading, examples] of Object.entries(GROUPS)) {
    for (const [name, example] of Object.entries(examples)) {
      const command = program.commands.find((each) => each.name() === name);
      command?.helpGroup(heading).addHelpText('after', `\nExample:\n  ${example}`);
    }
  }
}
