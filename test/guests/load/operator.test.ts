import { describe, expect, it } from 'vitest';
import { readTree, type SeenNode, XS } from '../../../guests/index.ts';
import { ask, run, testHost } from '../../support/host.ts';

describe('the reading of a whole tree', () => {
  it('reads a list in parts that does not fit one message', () => {
    const bench = { host: testHost() };
    const names = Array.from({ length: 150 }, (_, i) => `node-${'x'.repeat(36)}-${i}`); // 6 kB with their NULs
    const listed = ask(bench, 'makes', function* (xs) {
      for (const name of names) yield* xs.write(`/long/${name}`, name);
      return yield* xs.directory('/long');
    });
    expect(listed.error).toBe('E2BIG');
    const seen: SeenNode[] = [];
    run(bench, 'reads', (me) => readTree(me, bench.host.dom0.client, seen));
    const paths = seen.map(({ path }) => path);
    expect(paths.filter((path) => path.startsWith('/long/'))).toEqual(names.map((name) => `/long/${name}`));
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('leaves out what the store refuses, and takes no error for a child', () => {
    const bench = { host: testHost() };
    const { dom0 } = bench.host;
    ask(bench, 'makes', (xs) => xs.write('/gone/below', ''));
    const seen: SeenNode[] = [];
    // The second answer of a node's three is about a tree in which it is not any more.
    let isRemoved = false;
    const client = new Proxy(dom0.client, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (key !== 'submit') return typeof value === 'function' ? value.bind(target) : value;
        return (...[me, type, payload, tx]: Parameters<typeof target.submit>) => {
          const isAbout = String.fromCharCode(...payload) === '/gone\0';
          if (isAbout && type === XS.GET_PERMS && !isRemoved) {
            isRemoved = true;
            target.submit(me, XS.RM, payload, tx);
          }
          return target.submit(me, type, payload, tx);
        };
      },
    });
    run(bench, 'reads', (me) => readTree(me, client, seen));
    const paths = seen.map(({ path }) => path);
    expect(isRemoved).toBe(true);
    expect(paths).toContain('/tool/xenstored');
    expect(paths.filter((path) => /gone|ENOENT|E2BIG/.test(path))).toEqual([]);
  });
});
