import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOST_FILES } from '../../../scenarios/real/serve/host-files.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'xenarium-files-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('files of this machine', () => {
  it('are appended to octet by octet, and are their owner’s alone', () => {
    const path = join(directory, 'log');
    for (const text of ['a\u00ff', 'b\n']) {
      const file = HOST_FILES.appendTo(path);
      file?.write(text);
      file?.close();
      file?.write('after the end');
    }
    expect([...readFileSync(path)]).toEqual([0x61, 0xff, 0x62, 0x0a]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('cannot be made in a directory that is not there, nor be a directory', () => {
    expect(HOST_FILES.appendTo(join(directory, 'none', 'log'))).toBeUndefined();
    expect(HOST_FILES.appendTo(directory)).toBeUndefined();
  });

  it('cost lines and nothing else where the disk is full', () => {
    const file = HOST_FILES.appendTo('/dev/full');
    expect(() => file?.write('x')).not.toThrow();
    file?.close();
  });
});
