import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Driver } from '../../../scenarios/drive/drive.ts';
import { cDaemonLog } from '../../../scenarios/drive/from-log/c-daemon.ts';
import { treeOf } from '../../../scenarios/drive/from-log/listing.ts';
import { scriptOf } from '../../../scenarios/drive/from-log/script-of.ts';
import { startDaemon } from '../../../scenarios/real/conform/daemon.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { message, XS } from '../../../store/protocol/wire.ts';
import { daemonIsMissing, has } from '../../support/needs.ts';

const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const run = promisify(execFile);
const WHAT = 'a log of a real xenstored under the xenstore-* tools';
const isMissing =
  (await daemonIsMissing(WHAT, INSTALLED_DAEMONS.xenstored)) || !has(WHAT, 'xenstore-ls', 'xenstore-rm');

describe.skipIf(isMissing)(WHAT, () => {
  it('becomes a script that gets the same answers here, after a restart in the middle, too', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'xenarium-log-'));
    const logs = [join(dir, 'first'), join(dir, 'second')];
    try {
      const daemon = await startDaemon({ binary: INSTALLED_DAEMONS.xenstored, args: ['--trace-file', logs[0]!] });
      let listing = '';
      try {
        const env = { ...process.env, XENSTORED_PATH: join(daemon.dir, 'socket') };
        const tool = async (name: string, ...args: readonly string[]) =>
          run(`xenstore-${name}`, args, { env, timeout: 10_000 }).then(
            ({ stdout }) => stdout,
            () => 'failed',
          );
        await tool('write', '/tool/a', 'one', '/tool/b/c', 'two\nlines) and more', '/tool/d', '');
        await tool('chmod', '-r', '/tool/b', 'n0', 'r5');
        await tool('list', '-p', '/tool');
        await tool('rm', '-t', '/tool/d');
        expect(await tool('read', '/tool/d')).toBe('failed');
        listing = await tool('ls', '-fp', '/');
        const operator = await daemon.openSocket();
        operator.send(message(XS.CONTROL, 1, 0, octets(`logfile\0${logs[1]!}\0`))); // what comes now begins in the middle
        expect(await daemon.quiet()).toBe(true);
        await tool('read', '/tool/a', '/tool/b/c');
        await tool('exists', '/tool/nothing');
        await tool('write', '/tool/b', 'three');
      } finally {
        await daemon.stop();
      }
      for (const [i, log] of logs.entries()) {
        const before = i === 0 ? [] : treeOf(listing, 'tree');
        const { actions, requests } = scriptOf(cDaemonLog(readFileSync(log, 'latin1')));
        expect(requests).toBeGreaterThan(4);
        const driver = new Driver({ compat: '4.17', seed: '1', liveUpdateEvery: 0, format: 'v1' });
        for (const action of [...before, ...actions]) driver.perform(action);
        expect(driver.disappointments).toEqual([]);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
