import { allBreaks, type Break, type BreakToolstack, type Broken, breakOnce } from '../lab/migration-breaks.ts';
import { tell, writeOctets } from './image/io.ts';
import { Progress } from './progress.ts';
import { print, printJsonText } from './terminal/output.ts';

const TOOLSTACKS: readonly BreakToolstack[] = ['xl', 'handoverLog'];

const WHAT: Readonly<Record<Break['kind'], string>> = {
  stream: 'link cut at each record boundary, an octet before, an octet behind',
  banner: 'link cut after each octet of the banner',
  ready: 'link cut after each octet of ready',
  go: 'link cut after each octet of go',
  report: 'link cut after each octet of report and status',
  'go back': 'link cut after each octet of the go that gives the guest back',
  killed: 'S, V, R, W killed before each step',
};

/** Print how a migration ends that breaks, at each place where it can, under either handover. Exit 1: one that nothing explains. */
export function breaksCommand({ json, out }: { readonly json?: boolean; readonly out?: string }): number {
  const breaks = allBreaks();
  const progress = new Progress();
  let done = 0;
  const tried = TOOLSTACKS.map((toolstack) => ({
    toolstack,
    ends: breaks.map((each) => {
      progress.at(() => `${done}/${breaks.length * TOOLSTACKS.length} migrations`);
      done++;
      return breakOnce(each, toolstack);
    }),
  }));
  progress.clear();
  const text = tried.map(({ toolstack, ends }) => page(toolstack, ends)).join('\n');
  if (json) printJsonText(`${JSON.stringify({ tried })}\n`);
  else print(text);
  if (out !== undefined) writeOctets(out, new TextEncoder().encode(text));
  const wrong = tried.flatMap(({ toolstack, ends }) =>
    ends.flatMap((each) => each.wrong.map((what) => `${toolstack}, ${each.kind}, ${each.where}: ${what}`)),
  );
  return wrong.length === 0 ? 0 : tell(wrong);
}

/** What was tried under a toolstack, kind by kind, with the ends that each came to and how often. */
function page(toolstack: BreakToolstack, ends: readonly Broken[]): string {
  const lines = [`toolstack=${toolstack}`];
  for (const [kind, what] of Object.entries(WHAT)) {
    const of = ends.filter((each) => each.kind === kind);
    const fine = of.filter(({ wrong }) => wrong.length === 0).length;
    lines.push(`  ${what}: ${fine} of ${of.length} as predicted`);
    const counts = new Map<string, number>();
    for (const { end } of of) counts.set(end, (counts.get(end) ?? 0) + 1);
    for (const [end, count] of counts) lines.push(`  ${String(count).padStart(6)}  ${end}`);
  }
  const fine = ends.filter(({ wrong }) => wrong.length === 0).length;
  lines.push(`  all: ${fine} of ${ends.length}`);
  return `${lines.join('\n')}\n`;
}
