import { availableParallelism } from 'node:os';
import { type RunFacts, tryWhole } from '../../hunt/facts.ts';
import { causesOf } from '../../hunt/shrink/cause.ts';
import { updateWindow } from '../../hunt/shrink/neighbours.ts';
import { shrink } from '../../hunt/shrink/shrink.ts';
import { storyOf } from '../../hunt/story.ts';
import { vitestFile } from '../../hunt/vitest-file.ts';
import { ownCommand } from '../command.ts';
import { Unusable, writeOctets } from '../image/io.ts';
import { loader } from '../loader.ts';
import { Progress } from '../progress.ts';
import { writeReport } from '../report-file.ts';
import { EXIT_OF } from '../run.ts';
import { scenariosOf } from '../scenarios-of.ts';
import { print, printJson } from '../terminal/output.ts';
import { SearchDriver } from './drive-search.ts';
import { namedRun, tokenFor } from './ticket.ts';

interface ShrinkOptions {
  readonly jobs?: number;
  readonly daemon?: string;
  readonly test?: string;
  readonly report?: string;
  readonly json?: true;
}

/** Make a failing run small, tell it, and say what it fails by. @returns the exit code of the run. Errors: Unusable. */
export async function shrinkCommand(
  word: string,
  { jobs = availableParallelism(), test, report, daemon, json }: ShrinkOptions,
): Promise<number> {
  const { ticket } = await namedRun(word, daemon);
  const { spec } = ticket;
  const scenario = (await scenariosOf(spec.scenario)).find(({ name }) => name === spec.scenario);
  const runner = await loader()(spec);
  const { facts } = tryWhole(runner, spec);
  const [signature] = facts.signatures;
  if (scenario === undefined || signature === undefined)
    throw new Unusable('the run passes: there is nothing to make smaller');
  const progress = new Progress();
  const driver = new SearchDriver(jobs, (replays) => progress.at(() => `${replays} replays`));
  try {
    const { failing, minimal } = await driver.drive(shrink({ spec, facts }, scenario.settings), signature.kin);
    const { replays } = driver;
    const window = await driver.drive(updateWindow(failing, signature.kin), signature.kin);
    progress.clear();
    const { result } = tryWhole(runner, failing.spec);
    const found = failing.facts.signatures.find(({ key }) => key === signature.kin) ?? signature;
    const token = tokenFor(result);
    const story = storyOf(result);
    const causes = causesOf(result, window);
    if (json)
      printJson({
        record: 'xenarium-shrunk',
        version: 1,
        signature: found,
        token,
        replays,
        minimal,
        from: sizeOf(facts),
        to: sizeOf(failing.facts),
        spec: failing.spec,
        story,
        causes,
      });
    else {
      print(`${found.text}\n\n`);
      print(`  ${sizeText(facts)} made ${sizeText(failing.facts)} in ${replays} replays\n`);
      print(`  ${MINIMAL[minimal]}\n\n`);
      for (const line of minimal === 'none' ? [] : story) print(`  ${line}\n`);
      print(`\n${causes.map((line) => `  ${line}\n`).join('')}`);
      print(`\n  token: ${token}\n  look into it: ${ownCommand()} show ${token}\n`);
    }
    if (report !== undefined) writeReport(report, result, { token });
    if (test !== undefined) {
      if (spec.module !== undefined) throw new Unusable(`--test: a test elsewhere would not find ${spec.scenario}`);
      if (spec.daemon !== undefined) throw new Unusable('--test: a test elsewhere would not find the daemon');
      const file = vitestFile(failing.spec, found);
      if (file === undefined)
        throw new Unusable(`--test: updates go through ${spec.format}, which a test elsewhere would not find`);
      writeOctets(test, new TextEncoder().encode(file));
    }
    return EXIT_OF[result.outcome];
  } finally {
    await driver.close();
  }
}

const MINIMAL = {
  all: '1-minimal: without any one of these requests the run does not fail like that',
  free: '1-minimal of what others do not rely on: without any one of those requests the run does not fail like that',
  none: 'single requests could not be left out',
} as const;

interface Size {
  readonly guests: number;
  readonly requests: number;
  readonly updates: number;
}

function sizeOf({ made, updatesNs }: RunFacts): Size {
  const guests = new Set(made.map(({ thread }) => thread.split('/')[0] as string).filter((name) => name !== 'dom0'));
  return { guests: guests.size, requests: made.length, updates: updatesNs.length };
}

function sizeText(facts: RunFacts): string {
  const { guests, requests, updates } = sizeOf(facts);
  return `${requests} requests of ${guests} guests and dom0, ${updates} live updates`;
}
