import {
  HANDOVER_OCTETS,
  type MigrationProcess,
  type MigrationStep,
  streamTransfer,
  TEXTS,
  type Transfer,
} from '../../guests/libxl/index.ts';
import { LAN, type OctetWriter } from '../../sim/index.ts';
import { recordsOf } from '../../store/format/enclosing/records-of.ts';
import type { Moving } from '../engine/migrations.ts';
import { Bench } from './migration-bench.ts';

const MS = 1_000_000;
/** How long a migration is waited for: nobody in it waits for longer but a guest that is not asked. */
const HORIZON_NS = 20_000 * MS;
/** A transport that gives up a link of which nothing is heard. */
const KEPT_ALIVE = { ...LAN, keepAliveNs: 500 * MS };

/** Texts of the handover, in their order; the last is said by one who gives the guest back. */
const HANDOVER = ['ready', 'go', 'report', 'go back'] as const;
type Text = (typeof HANDOVER)[number];
const OCTETS: Readonly<Record<Text, number>> = {
  ready: TEXTS.ready.length,
  go: TEXTS.go.length,
  report: TEXTS.report.length + 1, // and the status
  'go back': TEXTS.go.length,
};
/** At which step somebody is about to say it. */
const SAID_AT: Readonly<Record<Text, MigrationStep>> = { ready: 'DE15', go: 'SO15', report: 'DE19', 'go back': 'DE20' };

/** Where a process can be killed: before each of its steps. */
const STEPS: Readonly<Record<MigrationProcess, readonly MigrationStep[]>> = {
  S: ['SO1', 'SO2', 'SO3', 'SO4', 'SO5', 'SO6', 'SO7', 'SO13', 'SO14', 'SO15', 'SO16', 'SO17'],
  V: ['SO6', 'SO7', 'SO9'],
  R: ['DE1', 'DE3', 'DE4', 'DE6', 'DE7', 'DE11', 'DE12', 'DE14', 'DE15', 'DE16', 'DE17', 'DE18', 'DE19'],
  W: ['DE7'],
};

export type BreakToolstack = 'xl' | 'handoverLog';

/** One way in which a migration breaks. */
export interface Break {
  readonly kind: 'stream' | 'banner' | Text | 'killed';
  /** Where: after which octet, of the whole or of the text; before which step. */
  readonly where: string;
  readonly moving: Moving;
  /** The destination has the guest's name taken, and gives the guest back. */
  readonly isReluctant?: true;
}

/** How one ended. */
export interface Broken {
  readonly kind: Break['kind'];
  readonly where: string;
  /** How both sides ended, each copy that is there and its state, and the hole of xl that it is, if nobody runs. */
  readonly end: string;
  /** What no rule explains. */
  readonly wrong: readonly string[];
}

/**
 * Every way in which the link or a process of one migration can break, at every place: the link after each record of the stream, an
 * octet before it and an octet behind it, and after each octet of the handover; each process before each of its steps.
 */
export function allBreaks(): readonly Break[] {
  return [...streamCuts(), ...bannerCuts(), ...handoverCuts(), ...kills()];
}

/** What becomes of a guest under a toolstack. */
export function breakOnce({ kind, where, moving, isReluctant }: Break, toolstack: BreakToolstack): Broken {
  const keepsLogs = toolstack === 'handoverLog';
  const bench = new Bench({ keepsLogs });
  if (isReluctant) bench.make('guest', 1, () => {});
  const { source, target } = bench.migrate(keepsLogs ? { ...moving, link: KEPT_ALIVE } : moving, HORIZON_NS);
  const { violations, known = [] } = bench.owners();
  const { copies } = bench;
  const hole = known.map(({ label }) => label).join(', ');
  const wrong = violations.map(({ detail }) => detail);
  const isOne = /^[a-z]+ running$/.test(copies);
  if (keepsLogs && !isOne) wrong.push(`in the end there is: ${copies}`);
  if (copies.includes('running') && !bench.isServed) wrong.push('the guest that runs is not served');
  const end = `${source ?? 'S waits'}, ${target ?? 'no R'}: ${copies}${hole === '' ? '' : ` (${hole})`}`;
  return { kind, where, end, wrong };
}

/** The stream as it is where nothing breaks: where its headers and records end, counted from the first octet of xl's header. */
function boundaries(): readonly number[] {
  const bench = new Bench();
  const octets: number[] = [];
  let before: number | undefined;
  const base = streamTransfer();
  const transfer: Transfer = {
    ...base,
    save: (call, plan) => base.save(call, { ...plan, to: tapped(plan.to, octets) }),
  };
  const { source } = bench.migrate({
    transfer,
    told: (news, { link }) => {
      if (news.what === 'step' && news.step === 'SO6') before ??= link?.forth.taken;
    },
  });
  if (source !== 'success' || before === undefined)
    throw new Error(`assertion: a migration in which nothing breaks ended as ${source}`);
  const start = before;
  const ends = [XL_HEADER, start];
  const failure = recordsOf(Uint8Array.from(octets), 0, ({ at, octets: count }) => ends.push(start + at + count));
  if (failure !== undefined) throw new Error(`assertion: its stream ends at ${failure.offset}: ${failure.reason}`);
  return ends;
}

/** Octets of xl's header without what follows it. */
const XL_HEADER = 48;

function tapped(to: OctetWriter, octets: number[]): OctetWriter {
  return {
    ...to,
    *write(some) {
      for (const octet of some) octets.push(octet);
      return yield* to.write(some);
    },
  };
}

function streamCuts(): Break[] {
  const places = new Set(boundaries().flatMap((end) => [end - 1, end, end + 1]));
  return [...places]
    .sort((a, b) => a - b)
    .map((n) => ({
      kind: 'stream',
      where: `octet ${n}`,
      moving: { linked: (link) => link.forth.cutAfter(n) },
    }));
}

function bannerCuts(): Break[] {
  return Array.from({ length: TEXTS.banner.length }, (_, n) => ({
    kind: 'banner',
    where: `octet ${n}`,
    moving: { linked: (link) => link.back.cutAfter(n) },
  }));
}

function handoverCuts(): Break[] {
  const cuts = HANDOVER.flatMap((text) => Array.from({ length: OCTETS[text] }, (_, n) => handoverCut(text, n)));
  if (cuts.length !== HANDOVER_OCTETS) throw new Error(`assertion: ${cuts.length} octets of a handover`);
  return cuts;
}

/** The link is cut when so many octets of a text have crossed it. */
export function handoverCut(text: Text, n: number): Break {
  return {
    kind: text,
    where: `octet ${n}`,
    moving: {
      told: (news, { link }) => {
        if (news.what !== 'step' || news.step !== SAID_AT[text] || link === undefined) return;
        const direction = text === 'go' ? link.forth : link.back;
        direction.cutAfter(direction.taken + n);
      },
    },
    ...(text === 'go back' ? { isReluctant: true } : {}),
  };
}

function kills(): Break[] {
  return Object.entries(STEPS).flatMap(([process, steps]) =>
    steps.map((step): Break => {
      const dies = (who: MigrationProcess, where: MigrationStep) => who === process && where === step;
      return { kind: 'killed', where: `${process} before ${step}`, moving: { source: { dies }, target: { dies } } };
    }),
  );
}
