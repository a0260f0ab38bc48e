import type { Ask } from '../engine/asks.ts';
import type { RunOutcome } from '../engine/scenario.ts';
import type { SettingSpecs, Settings } from '../engine/settings.ts';
import type { PageData } from '../report/page/layout.ts';

/** A run as somebody has filled it in. */
export interface WantedRun {
  readonly scenario: string;
  readonly seed: string;
  readonly format: string;
  /** `key=value` each; defaults for those that are not named. */
  readonly settings: readonly string[];
  /** What is asked for beside it. */
  readonly asks: readonly Ask[];
}

/** What the page wants of the simulator. */
export type Wanted =
  | { readonly kind: 'catalogue' }
  | { readonly kind: 'run'; readonly run: WantedRun }
  /** The run that a token holds. */
  | { readonly kind: 'open'; readonly token: string };

/** A scenario as it is offered. */
export interface Offered {
  readonly name: string;
  readonly story: string;
  readonly settings: SettingSpecs;
}

/** A run that has been made. */
export interface Done {
  readonly kind: 'done';
  readonly page: PageData;
  /** What it was made from. */
  readonly scenario: string;
  readonly seed: string;
  readonly format: string;
  readonly settings: Settings;
  readonly asks: readonly Ask[];
  /** The same in words. */
  readonly asked: readonly string[];
  readonly outcome: RunOutcome;
  readonly digest: string;
  readonly token: string;
  /** The command that runs it again. */
  readonly line: string;
  /** Whether a guest may lose its ring: there are some that nobody waits for. */
  readonly mayBreak: boolean;
}

/** What the simulator answers. */
export type Told =
  | {
      readonly kind: 'catalogue';
      readonly scenarios: readonly Offered[];
      readonly formats: readonly string[];
      readonly version: string;
    }
  | { readonly kind: 'progress'; readonly virtualNs: number; readonly requests: number }
  | { readonly kind: 'refused'; readonly reason: string }
  | Done;
