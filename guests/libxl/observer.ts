import type { DeviceName } from './device-kinds.ts';

/** What processes that use libxl say of their work, each thing when it is done. */
export type LibxlNews =
  /** The places of a domain are committed (transaction A); `uuid` names the one under /vm. */
  | {
      readonly what: 'made';
      readonly domid: number;
      readonly uniqueId: bigint;
      readonly name: string;
      readonly uuid: string;
    }
  /** The process that was building it died: what there is stays as it is (TS-8). */
  | { readonly what: 'abandoned'; readonly domid: number }
  /** Its destruction succeeded. */
  | { readonly what: 'destroyed'; readonly domid: number; readonly uniqueId: bigint }
  /** The nodes of a device are committed, or the commit has removed them. */
  | { readonly what: 'attached' | 'detached'; readonly domid: number; readonly device: DeviceName };

/** Told by the processes of one toolstack, in one order. */
export interface LibxlObserver {
  note(news: LibxlNews): void;
}
