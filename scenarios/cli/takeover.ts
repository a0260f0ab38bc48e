import { readFileSync, unlinkSync } from 'node:fs';
import { takeOver } from '../real/serve/takeover.ts';
import { say } from './terminal/output.ts';
import { untilSignal } from './until-signal.ts';

interface TakeoverOptions {
  readonly state: string;
  readonly compat?: '4.22' | '4.17';
}

/** Where the C daemon writes its state. Source: xs_daemon_rootdir. */
export function stateFile(): string {
  return `${process.env.XENSTORED_ROOTDIR ?? '/var/lib/xenstored'}/state_dump`;
}

/** Serve as the successor of the daemon that has executed this program, until SIGTERM or SIGINT. */
export async function takeoverCommand(args: readonly string[], options: TakeoverOptions): Promise<number> {
  const unused = args.filter((arg) => arg !== '-U' && arg !== '--live-update');
  if (unused.length > 0) say(`without effect here: ${unused.join(' ')}`);
  const begin = () =>
    takeOver({
      image: new Uint8Array(readFileSync(options.state)),
      compat: options.compat,
      stateFile: options.state,
      args,
      nowNs: () => Number(process.hrtime.bigint()),
      log: say,
      onRestored: () => unlinkSync(options.state),
    });
  return untilSignal(options.state, begin, () => say('took over'));
}
